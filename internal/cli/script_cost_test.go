package cli

import (
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// requestCosts are the requests of a run by what they are for the API server.
type requestCosts struct{ reads, writes, watches, renewals int }

// cost demands that docs/operations.md says what the requests since the last "wrote" or "cost" were: "cost 'ten steps'"
// looks for the row that begins so. What the page says may not be less, and not more than twice as much: how often a watch
// wakes a run is chance. Renewals of the lease are told apart, since they depend on how long a run lasts.
func (c *scriptCluster) cost(ts *testscript.TestScript, args []string) {
	now := c.api.Requests()
	c.mu.Lock()
	before := c.seen
	c.seen = now
	c.mu.Unlock()
	var got requestCosts
	for request, n := range now {
		n -= before[request]
		verb, resource, _ := strings.Cut(request, " ")
		switch {
		case request == "update leases":
			got.renewals += n
		case verb == "watch":
			got.watches += n
		case verb == "get" || verb == "list" || strings.HasPrefix(resource, "selfsubject"):
			got.reads += n
		default:
			got.writes += n
		}
	}
	ts.Logf("%s: %+v", args[0], got)
	text, err := os.ReadFile("../../docs/operations.md")
	ts.Check(err)
	row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(args[0]) + `[^|]*\| ([0-9]+) \| ([0-9]+) \| ([0-9]+) \|`).FindSubmatch(text)
	if row == nil {
		ts.Fatalf("docs/operations.md has no row %q with three numbers", args[0])
	}
	for i, n := range []int{got.reads, got.writes, got.watches} {
		said, err := strconv.Atoi(string(row[i+1]))
		ts.Check(err)
		if n > said || 2*n < said {
			ts.Fatalf("docs/operations.md says %s of %q; it was %+v", row[1:], args[0], got)
		}
	}
}
