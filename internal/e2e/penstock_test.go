package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestARunIsCapturedAndEnds(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	run := ns.Start("/bin/sh", []string{"GREETING=hello"}, "-c", `trap 'echo caught; exit 130' INT; echo $GREETING $HOME >&2; echo ready; while :; do sleep 0.01; done`)
	run.AwaitLine("hello")
	run.AwaitLine("ready")
	if got, want := run.Stderr(), "hello "+ns.home+"\n"; got != want {
		t.Errorf("stderr is %q, want %q", got, want)
	}
	run.Interrupt()
	if code := run.Wait(patience); code != 130 || run.Stdout() != "ready\ncaught\n" {
		t.Errorf("code %d, stdout %q", code, run.Stdout())
	}
	if run.MaxRSS() < 100<<10 {
		t.Errorf("its memory was %d bytes", run.MaxRSS())
	}
	killed := ns.Start("/bin/sh", nil, "-c", "echo started; while :; do sleep 0.01; done")
	killed.AwaitLine("started")
	killed.Kill()
	if code := killed.Wait(time.Second); code != -1 {
		t.Errorf("the killed process ended with %d", code)
	}
}

func TestPenstockIsBuiltAndRuns(t *testing.T) {
	t.Parallel()
	run := cluster.Namespace(t).Penstock("version")
	if code := run.Wait(patience); code != 0 || !strings.HasPrefix(run.Stdout(), "penstock ") {
		t.Errorf("code %d: %s", code, run.Transcript())
	}
}
