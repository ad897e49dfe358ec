package cli

import (
	"context"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

// view shows snapshots to people.
type view interface {
	Send(s report.Snapshot)
	Close() error
}

// screen is standard error: a live frame on a terminal, else one line per decision, which CI
// folds by step.
func (a *App) screen(c clock.PassiveClock) view {
	s := ScreenOf(a.Stderr, a.Getenv)
	if s.Live {
		return NewLive(a.Stderr, s.Look, c.Now)
	}
	plain := NewPlain(a.Stderr)
	plain.parts.to = a.folder(c)
	return plain
}

// screenReporter shows each decision of a run.
type screenReporter struct{ view view }

func (r screenReporter) Report(_ context.Context, u runner.Update) { r.view.Send(u.Snapshot) }
