package forge

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/penstock-dev/penstock/internal/tape"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// requests is what the tests ask of the fake GitHub.
var requests *tape.Tape

// TestMain holds the requests of all tests against those that GitHub's description of its API was asked about.
func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if requests, err = tape.Open("../../testdata/forge/requests/github.json"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	all := code == 0 && !testing.Short()
	for _, name := range []string{"test.run", "test.skip"} {
		all = all && flag.Lookup(name).Value.String() == ""
	}
	for _, name := range []string{"test.fuzz", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			os.Exit(code)
		}
	}
	if *update && code == 0 {
		err = requests.Write(all)
	}
	if err == nil {
		err = requests.Problems(all)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: requests to GitHub:\n%v\n", err)
		code = 1
	}
	os.Exit(code)
}
