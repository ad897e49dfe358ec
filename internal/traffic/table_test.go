package traffic_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/traffic"
)

// What the README says that a router can do is what the code says.
func TestTheReadmeHasTheTableOfTheRouters(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../README.md", "<!-- routers: written by go test ./internal/traffic -update -->\n", "<!-- end of routers -->"
	text := string(read(t, path))
	before, rest, found := strings.Cut(text, begin)
	had, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %q with %q after it", path, begin, end)
	}
	want := traffic.Table()
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(had, want); diff != "" {
		t.Errorf("the table of %s (-has +want):\n%s", path, diff)
	}
}
