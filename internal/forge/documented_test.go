package forge

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// costs is how the documents put what a rollout costs.
var costs = regexp.MustCompile(`(a rollout of ten steps\s+of a minute\s+each\s+costs\s+at\s+most\s+)[0-9]+( requests)`)

// DocumentedCost demands that a document says how many requests a rollout of ten steps costs, rounded up to the next ten;
// -update writes it there. The number itself is not the same each time: which of two surfaces comes first is chance.
func DocumentedCost(t *testing.T, path string, requests int) {
	t.Helper()
	t.Logf("a rollout of ten steps of a minute each costs %d requests", requests)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(costs.FindAll(text, -1)); n != 1 {
		t.Fatalf("%s says %d times what a rollout costs, want once", path, n)
	}
	bound := (requests + 9) / 10 * 10
	want := costs.ReplaceAll(text, fmt.Appendf(nil, "${1}%d${2}", bound))
	if string(want) == string(text) {
		return
	}
	if !*update {
		t.Errorf("%s has another number than %d; run the test with -update", path, bound)
		return
	}
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
}
