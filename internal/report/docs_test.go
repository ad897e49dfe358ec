package report_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestDocumentDescribesEveryField(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[report.Result](), reflect.TypeFor[report.Step](), reflect.TypeFor[report.Traffic](),
		reflect.TypeFor[rollout.CheckResult](), reflect.TypeFor[rollout.Comparison](),
	} {
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(string(doc), "`"+name+"`") {
				t.Errorf("%s: docs/report.md does not describe %q", of, name)
			}
		}
	}
	for o := rollout.Running; o <= rollout.Uninstalled; o++ {
		if word, _ := report.Outcome(o).MarshalText(); !strings.Contains(string(doc), "`"+string(word)+"`") {
			t.Errorf("docs/report.md does not describe the outcome %q", word)
		}
	}
}

func TestStepThatPassedBeforeTheEndIsNotFailed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		reason  rollout.Code
		outcome rollout.Outcome
		want    string
	}{
		{"a check", rollout.CheckFailed, rollout.RolledBack, "failure"},
		{"a webhook", rollout.HookFailed, rollout.RolledBack, "failure"},
		{"a broken primary", rollout.PrimaryBroken, rollout.Halted, ""},
		{"a gate that nobody opened", rollout.GateExpired, rollout.RolledBack, "skipped"},
		{"an operator", rollout.StopAsked, rollout.RolledBack, "skipped"},
		{"a cancelled run", rollout.StopAsked, rollout.Cancelled, "skipped"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := report.Summarise(at(3))
			r.Outcome, r.Reason = report.Outcome(test.outcome), test.reason
			c := read(t, r)
			got, found := "", false
			for _, k := range c.Cases {
				if k.Name != "step 3 (30%)" {
					continue
				}
				found = true
				switch {
				case k.Failure != nil:
					got = "failure"
				case k.Skipped != nil:
					got = "skipped"
				}
			}
			if !found || got != test.want {
				t.Errorf("found %v: %q, want %q", found, got, test.want)
			}
		})
	}
}
