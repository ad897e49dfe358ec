package cli

import (
	"net/http"

	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/runner"
)

// The parts of a run that the load it makes itself goes through. All leave the run as it is when it makes none.

func (d *drive) tasks() gate.Tasks {
	if d.loads == nil {
		return nil
	}
	return d.loads
}

// itself answers the checks of load.
func (d *drive) itself() *http.Client {
	if d.loads == nil {
		return &http.Client{Transport: noLoad{}}
	}
	return &http.Client{Transport: d.loads}
}

func (d *drive) stepping(hooks runner.Hooks) runner.Hooks {
	if d.loads == nil {
		return hooks
	}
	return stepping{Hooks: hooks, windows: d.loads.windows}
}

func (d *drive) judging(analyst runner.Analyst) runner.Analyst {
	if d.loads == nil {
		return analyst
	}
	return judging{Analyst: analyst, windows: d.loads.windows}
}

// loaded shows the load to all reporters.
func (d *drive) loaded(reporters []runner.Reporter) []runner.Reporter {
	if d.loads == nil {
		return reporters
	}
	all := make([]runner.Reporter, len(reporters))
	for i, r := range reporters {
		all[i] = loadReporter{Reporter: r, windows: d.loads.windows}
	}
	return all
}

// unload puts the load into the result of a run, which may have none of its last window yet.
func (d *drive) unload(result *runner.Result) {
	if d.loads == nil {
		return
	}
	d.loads.windows.Close(loadClose)
	result.Snapshot.Loads = measured(d.loads.windows)
}

// noLoad answers for a run that makes none.
type noLoad struct{}

func (noLoad) RoundTrip(req *http.Request) (*http.Response, error) { return figuresAnswer(req, nil) }
