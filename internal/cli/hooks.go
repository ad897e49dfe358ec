package cli

import (
	"fmt"

	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// webhooks is what calls the webhooks of a canary.
type webhooks struct {
	caller    *gate.Caller
	hooks     runner.Hooks // nil when nobody has to be asked
	reporters []runner.Reporter
}

// webhooks connects the canary's webhooks. It calls nobody yet. The gate of a group is put before them by its member.
func (d *drive) webhooks(tracked func() map[string]string) (*webhooks, error) {
	caller, err := gate.New(gate.Config{Canary: d.canary, Clock: d.clock, Version: d.version, Through: d.through, Tasks: d.tasks(), EventFailed: d.warn})
	if err != nil {
		return nil, badInput(fmt.Errorf("canary %q: %w", d.canary.Name, err))
	}
	about := func(st *rollout.Status) gate.About { return gate.AboutStatus(st, tracked()) }
	w := &webhooks{caller: caller, reporters: caller.Reporters(about)}
	if len(d.called) > 0 {
		w.hooks = d.stepping(gate.Hooks{Caller: caller, About: about})
	}
	return w, nil
}

func (w *webhooks) close() { w.caller.Close() }
