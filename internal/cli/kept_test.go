package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Every Canary that can be run can be ended by what its run keeps, and moves the traffic in the same steps.
func TestWhatARunKeepsIsAWholePlan(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"../../testdata/canary/*.yaml", "../../testdata/canary/*/*.yaml", "../../testdata/traffic/*/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	count := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "kind: Canary") {
			continue
		}
		set, err := canary.Parse([]canary.File{{Name: path, Data: text}})
		if err != nil {
			continue // it is about what is refused
		}
		set.DefaultNamespace("shop")
		for _, c := range set.Canaries {
			count++
			keepsWhole(t, path, c)
		}
	}
	if count < 20 {
		t.Errorf("only %d canaries were kept", count)
	}
}

func keepsWhole(t *testing.T, path string, c *canary.Canary) {
	t.Helper()
	spec := rollout.Plan(c)
	spec.HoldOnCancel, spec.Settle = true, 3*time.Second
	d := &drive{plan: plan{canary: c, spec: spec}}
	record := &rollout.Record{Plan: d.kept()}
	u, err := readKept(c.Namespace, c.Name, record)
	if err != nil {
		t.Errorf("%s: canary %s: %v", path, c.Name, err)
		return
	}
	if again := rollout.Plan(u.canary); len(again.Steps) != len(spec.Steps) || again.Deadline != spec.Deadline {
		t.Errorf("%s: canary %s: %+v, want %+v", path, c.Name, again, spec)
	}
	if !u.policy.holdOnCancel || *u.policy.settle != spec.Settle {
		t.Errorf("%s: the policy is %+v", path, u.policy)
	}
	if a := u.canary.Spec.Analysis; a != nil && len(a.Metrics)+len(a.Webhooks)+len(a.Alerts) > 0 {
		t.Errorf("%s: what may name secrets is kept", path)
	}
	if a := c.Spec.Analysis; a == nil || len(a.StepWeights)+a.StepWeight+a.Iterations == 0 {
		return
	}
	if _, err := readKept("other", c.Name, record); err == nil || !strings.Contains(err.Error(), "another canary") {
		t.Errorf("%s: it speaks for the canary of another namespace: %v", path, err)
	}
}

func TestWhatIsTooLargeOrDamagedIsNotKept(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{}
	c.Name, c.Namespace = "web", "shop"
	c.Spec.Service.Port, c.Spec.Service.Hosts = 80, []string{strings.Repeat("x", keptLimit)}
	var warned error
	d := &drive{plan: plan{canary: c}, warn: func(err error) { warned = err }}
	if text := d.kept(); text != nil || warned == nil {
		t.Errorf("%d bytes are kept, and the warning is %v", len(text), warned)
	}
	for _, text := range []string{"", "{", `{"canary":{}}`, `{"canary":{"apiVersion":"flagger.app/v1beta1","kind":"Canary"},"onCancel":"x","settle":"0s"}`} {
		if _, err := readKept("shop", "web", &rollout.Record{Plan: []byte(text)}); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
