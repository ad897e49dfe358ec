package cli

import (
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

const comparedCanary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service: {port: 80, gatewayRefs: [{name: public}]}
  analysis:
    interval: 1m
    threshold: 2
    stepWeight: 10
    maxWeight: 50
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
---
`

func TestTheComparisonsOfDocumentsAreValid(t *testing.T) {
	t.Parallel()
	found := 0
	for _, d := range documentsForPeople(t) {
		for _, block := range d.blocks("yaml") {
			if !strings.Contains(block, "kind: Comparison") || strings.Contains(block, "kind: Canary") {
				continue
			}
			set, err := canary.Parse([]canary.File{{Name: d.name, Data: []byte(comparedCanary + block)}})
			if err != nil {
				t.Errorf("%s: %v", d.name, err)
				continue
			}
			found += len(set.Comparisons)
			if _, err := compile(set.Canaries[0], planInputs{provider: "gatewayapi:v1", comparisons: set.Comparisons}); err != nil {
				t.Errorf("%s: %v", d.name, err)
			}
		}
	}
	if found < 3 {
		t.Errorf("the documents have %d comparisons", found)
	}
}

func TestEveryFieldOfAComparisonIsExplained(t *testing.T) {
	t.Parallel()
	for _, d := range documentsForPeople(t) {
		if d.name != "comparison.md" {
			continue
		}
		for field := range reflect.TypeFor[canary.ComparisonSpec]().Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(d.text, "`"+name) {
				t.Errorf("%s does not explain %s", d.name, name)
			}
		}
		return
	}
	t.Error("there is no docs/comparison.md")
}
