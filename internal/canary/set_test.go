package canary_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
)

// weighted is a small canary of the given name, with whatever else its metadata needs.
func weighted(name, metadata string) string {
	return "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: " + name + metadata + "}\n" +
		"spec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  service: {port: 80}\n" +
		"  analysis:\n    stepWeight: 10\n    metrics:\n      - {name: rate, templateRef: {name: rate}, thresholdRange: {min: 1}}\n" +
		"    alerts:\n      - {name: chat, providerRef: {name: chat}}\n"
}

const shared = `---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: rate}
spec: {provider: {type: datadog}, query: x}
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: chat}
spec: {type: slack, secretRef: {name: chat}}
`

func parse(t testing.TB, texts ...string) (canary.Set, error) {
	t.Helper()
	var files []canary.File
	for i, text := range texts {
		files = append(files, canary.File{Name: fmt.Sprintf("%c.yaml", 'a'+i), Data: []byte(text)})
	}
	return canary.Parse(files)
}

func TestParseTellsAllProblemsOfAllFilesInOrder(t *testing.T) {
	t.Parallel()
	_, err := parse(t, strings.Replace(weighted("b", ""), "stepWeight: 10", "stepWeight: 0", 1), "", weighted("a", ", labels: 1"))
	var problems *canary.ProblemsError
	if !errors.As(err, &problems) {
		t.Fatalf("not a ProblemsError: %v", err)
	}
	want := []canary.Problem{
		{
			File: "a.yaml", Line: 8, Column: 5, Object: `Canary "b"`, Path: "spec.analysis.stepWeight", Value: "0",
			Message: "0 is not between 1 and 100",
		},
		{File: "b.yaml", Line: 1, Column: 1, Message: "the file is empty"},
		{
			File: "c.yaml", Line: 3, Column: 29, Object: `Canary "a"`, Path: "metadata.labels", Value: "1",
			Message: `1 (a number) where a mapping ("name: value" lines) is needed`,
		},
		{
			File: "c.yaml", Line: 5, Column: 3, Object: `Canary "a"`, Path: "spec.targetRef", Value: `Deployment "web"`,
			Message: `Deployment "web" is already the target of the canary "b" (a.yaml:1); a workload can have only one canary`,
		},
	}
	if diff := cmp.Diff(want, problems.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestDefaultNamespaceReachesAllFlaggerResources(t *testing.T) {
	t.Parallel()
	set, err := parse(t, weighted("web", "")+shared)
	if err != nil {
		t.Fatal(err)
	}
	set.DefaultNamespace("shop")
	c := set.Canaries[0]
	got := []string{c.Namespace, set.Templates[0].Namespace, set.Providers[0].Namespace}
	if diff := cmp.Diff([]string{"shop", "shop", "shop"}, got); diff != "" {
		t.Error(diff)
	}
	if tmpl := set.Template(c, &c.Spec.Analysis.Metrics[0]); tmpl != set.Templates[0] {
		t.Errorf("template of the metric: %v", tmpl)
	}
	if p := set.Provider(c, &c.Spec.Analysis.Alerts[0]); p != set.Providers[0] {
		t.Errorf("provider of the alert: %v", p)
	}
	if file, line := set.Origin(set.Templates[0]); file != "a.yaml" || line != 14 {
		t.Errorf("the template is at %s:%d, want a.yaml:14", file, line)
	}
}

func TestATemplateElsewhereIsNoProblem(t *testing.T) {
	t.Parallel()
	set, err := parse(t, weighted("web", ""))
	if err != nil {
		t.Fatal(err)
	}
	c := set.Canaries[0]
	if set.Template(c, &c.Spec.Analysis.Metrics[0]) != nil || set.Provider(c, &c.Spec.Analysis.Alerts[0]) != nil {
		t.Error("found what the set does not hold")
	}
}

func TestCheckFindsWhatTheDefaultNamespaceBringsTogether(t *testing.T) {
	t.Parallel()
	set, err := parse(t, weighted("web", ""), weighted("other", ", namespace: shop"))
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Check(); err != nil {
		t.Fatalf("before: %v", err)
	}
	set.DefaultNamespace("shop")
	err = set.Check()
	const want = `b.yaml:5: spec.targetRef: Deployment "shop/web" is already the target of the canary "web" (a.yaml:1); a workload can have only one canary`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestDefaultsAreFlaggers(t *testing.T) {
	t.Parallel()
	set, err := parse(t, weighted("web", ""))
	if err != nil {
		t.Fatal(err)
	}
	a := set.Canaries[0].Spec.Analysis
	if a.EffectiveInterval() != time.Minute || a.EffectiveThreshold() != 1 || a.EffectiveMaxWeight() != 100 || a.PrimaryReady() != 100 {
		t.Errorf("interval %v, threshold %d, max weight %d, ready %d", a.EffectiveInterval(), a.EffectiveThreshold(), a.EffectiveMaxWeight(), a.PrimaryReady())
	}
	if got := a.Alerts[0].EffectiveSeverity(); got != canary.SeverityInfo {
		t.Errorf("severity %q", got)
	}
	hook := canary.Webhook{}
	if hook.EffectiveType() != canary.HookRollout || hook.EffectiveTimeout() != 10*time.Second {
		t.Errorf("webhook %q %v", hook.EffectiveType(), hook.EffectiveTimeout())
	}
	if affinity := (canary.SessionAffinity{}); affinity.EffectiveMaxAge() != 86400 {
		t.Errorf("cookie %d", affinity.EffectiveMaxAge())
	}
}

func TestAFileThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	_, err := canary.Parse([]canary.File{{Name: "big.yaml", Data: bytes.Repeat([]byte("#"), canary.MaxFileSize+1)}})
	const want = "big.yaml:1: the file has 4194305 bytes; at most 4194304 are read"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAFileOfTooManyDocumentsIsRefused(t *testing.T) {
	t.Parallel()
	_, err := parse(t, strings.Repeat("---\n", canary.MaxDocuments+1))
	const want = `a.yaml:1: the file has more than 10000 documents (lines that start with "---")`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAHostileKeyStaysOnItsLine(t *testing.T) {
	t.Parallel()
	text := strings.Replace(weighted("web", ""), "spec:", "\"\\e[31m\\n"+strings.Repeat("x", 9999)+"\": 1\nspec:", 1)
	_, err := parse(t, text)
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 1000 {
		t.Errorf("got %q", err)
	}
}

func TestOtherObjectsAreKeptAsWritten(t *testing.T) {
	t.Parallel()
	set, err := parse(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2, paused: no, x: [1.5, a, null, 0x10], mode: 0644}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{"replicas": int64(2), "paused": false, "x": []any{1.5, "a", nil, int64(16)}, "mode": int64(420)},
	}
	if diff := cmp.Diff(want, set.Others[0].Object); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
	set.Others[0].DeepCopy() // panics on a value that is not JSON's
	if file, line := set.Origin(set.Others[0]); file != "a.yaml" || line != 1 {
		t.Errorf("origin %s:%d", file, line)
	}
}

func TestAliasesAndMergesAreFollowed(t *testing.T) {
	t.Parallel()
	for _, f := range load(t, "good/merge.yaml") {
		set, err := canary.Parse([]canary.File{f})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"team": "shop", "app": "a"}, set.Others[0].GetLabels()); diff != "" {
			t.Error(diff)
		}
		if got := set.Canaries[0].Spec.Service.TargetPort.IntValue(); got != 9898 {
			t.Errorf("target port %d", got)
		}
	}
}
