package cli

import (
	"path/filepath"
	"strconv"

	"github.com/penstock-dev/penstock/internal/forge"
)

// finalizeName is the name by which the program finalizes without being told to: a post step of GitHub names a program
// and cannot give it arguments of its own.
const finalizeName = "penstock-finalize"

// Arguments returns the arguments of a process from its whole command line. A program that is called penstock-finalize
// is penstock finalize. GitHub passes a post step the arguments of the main step, so a "run" that comes first is dropped.
func Arguments(line []string) []string {
	if len(line) == 0 {
		return nil
	}
	args := line[1:]
	if filepath.Base(line[0]) != finalizeName {
		return args
	}
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	return append([]string{"finalize"}, args...)
}

// What a run leaves for the post step of its own step. It is no more than a hint: a run that was killed leaves only the
// first, and what is true stands in the cluster.
const (
	stateRun  = "penstock_run"
	stateExit = "penstock_exit"
)

// remember tells the post step who this run is, before anything is touched: the answer has to survive a kill.
func (b *bulletin) remember() { b.leave(forge.Pair{Name: stateRun, Value: b.id}) }

// rememberEnd tells the post step how the run has ended.
func (b *bulletin) rememberEnd(code int) {
	b.leave(forge.Pair{Name: stateExit, Value: strconv.Itoa(code)})
}

func (b *bulletin) leave(hint forge.Pair) {
	if b.app.Getenv("GITHUB_ACTIONS") != "true" || b.app.Getenv("GITHUB_STATE") == "" {
		return
	}
	if err := forge.NewActions(b.app.Stderr, b.app.Getenv).SaveState(hint); err != nil {
		b.app.warn(err)
	}
}

// predecessor is the run whose end is made safe, as it has told its post step.
type predecessor struct {
	id   string // "" when nobody has told it
	exit string // "" when it did not come to its end
}

func (a *App) predecessor() predecessor {
	return predecessor{id: a.Getenv("STATE_" + stateRun), exit: a.Getenv("STATE_" + stateExit)}
}

// done says why a run has left nothing to finish, or nothing when the cluster has to be asked. A run that has ended with
// another code may have left its rollout in the middle.
func (p predecessor) done(in *finalizeInputs) string {
	switch {
	case in.Driver == "follow":
		return "the rollout is Flagger's"
	case in.DryRun:
		return "a dry run changes nothing"
	case in.Expired, p.id == "":
		return ""
	case p.exit == strconv.Itoa(ExitOK):
		return "the run ended well"
	case p.exit == strconv.Itoa(ExitBadInput):
		return "the run refused its input and touched nothing"
	}
	return ""
}
