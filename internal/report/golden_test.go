package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "report", file+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, s := range snapshots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name+".line", report.Line(report.Snapshot{}, s)+"\n")
			golden(t, name+".live-80", report.Live(s, 80, false))
			golden(t, name+".live-40", report.Live(s, 40, false))
		})
	}
}

func TestGoldenLooks(t *testing.T) {
	t.Parallel()
	s := failingForLooks()
	golden(t, "look.ascii", report.Look{Width: 80, ASCII: true}.Live(s))
	golden(t, "look.colour", report.Live(s, 80, true))
	golden(t, "look.short", report.Look{Width: 80, Height: 16}.Live(s))
	golden(t, "look.ascii-table", report.Look{Width: 80, ASCII: true}.Table(rehearsed(s)))
	golden(t, "look.colour-table", report.Table(rehearsed(s), 80, true))
}

// failingForLooks has more checks than a short terminal shows.
func failingForLooks() report.Snapshot {
	s := snapshots()["failed-check"]
	s.Spec.Checks = append(s.Spec.Checks, "error-rate", "saturation", "queue-length", "logins", "orders")
	return s
}

func TestGoldenResults(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"promoted", "rolled-back", "no-data", "error", "halted", "initialised", "canary-not-ready", "long-names", "hostile", "compared", "loaded"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := snapshots()[name]
			r := report.Summarise(s)
			if len(r.Steps) > 0 {
				r = rehearsed(s)
			}
			doc, err := r.JSON()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", string(doc))
			golden(t, name+".table-80", report.Table(r, 80, false)+"\n"+report.Look{Width: 80}.Closing(r))
			golden(t, name+".table-40", report.Table(r, 40, false)+"\n"+report.Look{Width: 40}.Closing(r))
		})
	}
}
