package internal

import (
	"os"
	"regexp"
	"testing"
)

var packageRow = regexp.MustCompile("(?m)^\\| `((?:internal|cmd)/[^`]*)` \\| ([a-z]+) \\|")

// TestThePageOfTheArchitectureHasEveryPackage holds the table of docs/architecture.md to the table of this test.
func TestThePageOfTheArchitectureHasEveryPackage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[kind]string{core: "core", codec: "codec", engine: "engine", wiring: "wiring", tests: "tests"}
	said := map[string]string{}
	for _, m := range packageRow.FindAllStringSubmatch(string(text), -1) {
		said[m[1]] = m[2]
	}
	for pkg, k := range packages {
		if pkg != "internal" && said[pkg] != names[k] {
			t.Errorf("docs/architecture.md says that %s is %q; it is %q", pkg, said[pkg], names[k])
		}
	}
	for pkg := range said {
		if _, known := packages[pkg]; !known && pkg != "internal/e2e" {
			t.Errorf("docs/architecture.md has %s, which does not exist", pkg)
		}
	}
}
