package trial_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/race"
	"github.com/penstock-dev/penstock/internal/trial"
)

var update = flag.Bool("update", false, "rewrite the measured tables of docs/comparison.md")

const (
	document  = "../../docs/comparison.md"
	measured  = "<!-- measured: written by go test ./internal/trial -update -->\n"
	documentN = 200 // trials of each cell
)

// measures are the traffics of the document.
var measures = []struct {
	title   string
	traffic func(*trial.Traffic)
}{
	{"100 requests per second, 0.1 % fail anyway", func(*trial.Traffic) {}},
	{"10 requests per second, 0.1 % fail anyway", func(t *trial.Traffic) { t.RPS = 10 }},
	{"10 requests per second, 1 % fail anyway", func(t *trial.Traffic) { t.RPS, t.Errors = 10, 1 }},
	{"100 requests per second, and an incident in 5 % of the time", func(t *trial.Traffic) { t.Incidents = 5 }},
}

// both are comparisons beside the fixed bounds.
func both() []*canary.Comparison {
	all := comparisons()
	for _, x := range all {
		x.Spec.Replaces = ""
	}
	return all
}

// cell says what became of a release.
func cell(r trial.Result) string {
	text := fmt.Sprintf("%.1f %%", 100*float64(r.RolledBack)/float64(r.Trials))
	switch {
	case r.RolledBack == 0 || r.Errors == 0 && r.Slower == 1:
		return text
	case r.Errors > 0:
		return fmt.Sprintf("%s, %s, %d failed", text, r.After.Round(time.Second), r.Failed)
	}
	return fmt.Sprintf("%s, %s, %d slow", text, r.After.Round(time.Second), r.Answers)
}

func TestTheDocumentSaysWhatIsMeasured(t *testing.T) {
	t.Parallel()
	if testing.Short() || race.Enabled || runtime.GOARCH != "amd64" { // elsewhere the last digits of the same trials may differ
		t.Skip("thousands of trials")
	}
	var b strings.Builder
	for _, m := range measures {
		fmt.Fprintf(&b, "\n**%s**\n\n| release | fixed bounds | comparisons | both |\n|---|---|---|---|\n", m.title)
		var plans []*trial.Plan
		for _, compared := range [][]*canary.Comparison{nil, comparisons(), both()} {
			p := planOf(t, podinfo(), compared)
			p.Trials, p.Traffic.Swing = documentN, 0.2
			m.traffic(&p.Traffic)
			plans = append(plans, p)
		}
		for _, r := range trial.Releases() {
			if r.Errors == 10 || r.Slower == 4 {
				continue
			}
			fmt.Fprintf(&b, "| %s |", r.Name)
			for _, p := range plans {
				fmt.Fprintf(&b, " %s |", cell(p.Run(r, always)))
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n")
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), measured)
	if len(parts) != 3 {
		t.Fatalf("%s has %d marks for the measured tables, not 2", document, len(parts)-1)
	}
	want := parts[0] + measured + b.String() + measured + parts[2]
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(data), want); diff != "" {
		t.Errorf("%s is not what is measured (-document +measured):\n%s", document, diff)
	}
}
