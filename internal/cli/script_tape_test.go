package cli

import (
	"fmt"
	"os"
	"testing"

	"github.com/penstock-dev/penstock/internal/tape"
)

// requests is what the scripts ask of GitHub. It is opened before the tests run.
var requests *tape.Tape

// taped runs the tests, and then holds the requests of the scripts against those that GitHub's description of its API was
// asked about. What the scripts ask depends on how fast the machine is: nothing is missed when a request is not made.
type taped struct{ tests *testing.M }

// Run makes it what testscript runs.
func (m taped) Run() int {
	var err error
	const dir = "../../testdata/forge/requests/"
	if requests, err = tape.Open(dir+"github-scripts.json", dir+"github.json"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.tests.Run()
	if *update && code == 0 {
		err = requests.Write(false)
	}
	if err == nil {
		err = requests.Problems(false)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: requests to GitHub:\n%v\n", err)
		return 1
	}
	return code
}
