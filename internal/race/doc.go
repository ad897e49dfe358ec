// Package race tells tests whether the race detector is at work. Only tests use it.
package race

import "testing"

// Skip skips a test of one goroutine when the race detector is at work: it finds nothing there, and takes ten times as
// long.
func Skip(t testing.TB) {
	t.Helper()
	if Enabled {
		t.Skip("there is one goroutine: the race detector finds nothing and takes ten times as long")
	}
}
