package report_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestGoldenJUnit(t *testing.T) {
	t.Parallel()
	for name, s := range pages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := report.JUnit(report.Summarise(s))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "junit/"+name+".xml", string(doc))
		})
	}
}

// counts is what a reader of the file sees.
type counts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
	Cases    []struct {
		Class   string    `xml:"classname,attr"`
		Name    string    `xml:"name,attr"`
		Failure *struct{} `xml:"failure"`
		Error   *struct{} `xml:"error"`
		Skipped *struct{} `xml:"skipped"`
	} `xml:"testsuite>testcase"`
}

func read(t *testing.T, r report.Result) counts {
	t.Helper()
	doc, err := report.JUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	var c counts
	if err := xml.Unmarshal(doc, &c); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	return c
}

func TestJUnitCountsItsCases(t *testing.T) {
	t.Parallel()
	for name, s := range pages() {
		c := read(t, report.Summarise(s))
		seen := map[string]bool{}
		got := counts{Tests: len(c.Cases)}
		for _, k := range c.Cases {
			if seen[k.Class+k.Name] {
				t.Errorf("%s: two cases are named %q", name, k.Name)
			}
			seen[k.Class+k.Name] = true
			for of, n := range map[*struct{}]*int{k.Failure: &got.Failures, k.Error: &got.Errors, k.Skipped: &got.Skipped} {
				if of != nil {
					*n++
				}
			}
		}
		c.Cases = nil
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%s: -said +counted\n%s", name, diff)
		}
	}
}

func TestJUnitWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		outcome rollout.Outcome
		want    string // of the case of the whole rollout
	}{
		{"a promotion passes", rollout.Promoted, ""},
		{"a first run passes", rollout.Initialised, ""},
		{"a rejected revision is a failure", rollout.RolledBack, "failure"},
		{"a halted rollout is a failure", rollout.Halted, "failure"},
		{"a cancelled run says nothing of the revision", rollout.Cancelled, "skipped"},
		{"a run that waits at a gate says nothing yet", rollout.Gated, "skipped"},
		{"a run that could not finish is an error", rollout.Running, "error"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := report.Summarise(at(3))
			r.Outcome = report.Outcome(test.outcome)
			k := read(t, r).Cases[0]
			got := ""
			switch {
			case k.Failure != nil:
				got = "failure"
			case k.Error != nil:
				got = "error"
			case k.Skipped != nil:
				got = "skipped"
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestJUnitNamesDoNotDependOnTheOutcome(t *testing.T) {
	t.Parallel()
	names := func(s report.Snapshot) (out []string) {
		for _, k := range read(t, report.Summarise(s)).Cases {
			out = append(out, k.Class+"/"+k.Name)
		}
		return out
	}
	good, bad := names(promoted()), names(rolledBack())
	if diff := cmp.Diff(bad, good[:len(bad)]); diff != "" {
		t.Errorf("-rolled back +promoted\n%s", diff)
	}
}

func TestJUnitOfAHugeMessageIsBoundedAndWellFormed(t *testing.T) {
	t.Parallel()
	s := huge()
	s.Outcome = rollout.RolledBack
	r := report.Summarise(s)
	r.Message = strings.Repeat("\x00]]>\x0b", 30000)
	r.Reason = rollout.HookFailed
	doc, err := report.JUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc) > 1<<20 {
		t.Errorf("%d bytes", len(doc))
	}
	read(t, r)
}
