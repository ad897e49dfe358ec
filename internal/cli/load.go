package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/loadtest"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// loadInputs say what the load tests of a run may do.
type loadInputs struct {
	LoadShell bool `input:"load-shell" help:"let webhooks of penstock://loadtest run commands on this machine: whoever may write the canary may then run anything here"`
}

const (
	loadClose   = time.Second // for requests that are under way at the end of a run
	loadAnswers = time.Hour   // the most that a smoke test may take; it says for itself how long
)

// loads makes the load of a run, and does its tests.
type loads struct {
	tester  *loadtest.Tester
	windows *loadtest.Windows
	live    func() context.Context // of load that goes on beside the rollout
	name    string                 // of the canary
	space   string
}

// testerOptions are what the tasks of a run may do.
func testerOptions(shell bool) loadtest.Options { return loadtest.Options{Exec: shell} }

// openLoads makes what does the tasks of the canary's webhooks. It is nil when none of them is the run's own. ctx is what
// load lives in.
func (d *drive) openLoads(ctx context.Context) (*loads, error) {
	if len(inProcess(d.canary)) == 0 {
		return nil, nil
	}
	o := testerOptions(d.loadShell)
	o.Address, o.StandIn = d.address, d.standIn
	o.HTTP = httpx.New(httpx.Options{Version: d.version, NoRedirects: true, Timeout: loadAnswers, Through: d.loadThrough})
	o.Undone = d.undone
	tester, err := loadtest.New(o)
	if err != nil {
		return nil, badInput(err)
	}
	return &loads{
		tester: tester, windows: loadtest.NewWindows(tester), live: func() context.Context { return ctx },
		name: d.canary.Name, space: d.canary.Namespace,
	}, nil
}

// undone tells of a task that has come to nothing. One that was interrupted was meant to be.
func (d *drive) undone(_ loadtest.Payload, err error) {
	if d.warn != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		d.warn(err)
	}
}

func (l *loads) payload(hook *canary.Webhook, about gate.About) loadtest.Payload {
	return loadtest.Payload{Name: l.name, Namespace: l.space, Phase: about.Phase, Checksum: about.Checksum, Metadata: hook.Metadata}
}

// Do does the task of a webhook. Load of an analysis window goes on in the background; all else is waited for.
func (l *loads) Do(ctx context.Context, hook *canary.Webhook, about gate.About) (rollout.Verdict, string) {
	p := l.payload(hook, about)
	if hook.EffectiveType() == canary.HookRollout && p.Background() {
		if err := l.windows.Begin(l.live(), hook.Name, p); err != nil {
			return rollout.Error, err.Error()
		}
		return rollout.Pass, "its load has begun"
	}
	result, err := l.tester.Run(ctx, p)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return rollout.Fail, fmt.Sprintf("it was not done within %s, the timeout of the webhook", hook.EffectiveTimeout())
	case err != nil:
		return rollout.Error, err.Error()
	}
	if result.Load != nil {
		l.windows.Add(hook.Name, result)
	}
	if !result.Passed {
		return rollout.Fail, result.Task + ": " + result.Message
	}
	return rollout.Pass, result.Task + " has passed"
}

// RoundTrip answers the checks of load: with the figures of the window, whose load it ends.
func (l *loads) RoundTrip(req *http.Request) (*http.Response, error) {
	all, err := l.windows.End(req.Context())
	if err != nil {
		return nil, err
	}
	var figures []metric.LoadFigures
	for _, m := range all {
		if m.Load != nil {
			figures = append(figures, loadFigures(m))
		}
	}
	return figuresAnswer(req, figures)
}

// figuresAnswer is the answer to a check of load.
func figuresAnswer(req *http.Request, figures []metric.LoadFigures) (*http.Response, error) {
	if figures == nil {
		figures = []metric.LoadFigures{}
	}
	body, err := json.Marshal(figures)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), Request: req, Header: http.Header{},
	}, nil
}

func loadFigures(m loadtest.Measured) metric.LoadFigures {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	f := metric.LoadFigures{
		Hook: m.Webhook, Requests: m.Load.Requests, Failed: m.Load.Failed(), Rate: m.Load.Rate, Status: m.Load.Status, Codes: m.Load.Codes,
		Mean: ms(m.Load.Mean), Fastest: ms(m.Load.Fastest), Slowest: ms(m.Load.Slowest), Percentiles: map[int]float64{},
	}
	for _, p := range m.Load.Percentiles {
		f.Percentiles[p.Percent] = ms(p.Latency)
	}
	return f
}

// judging ends the load of a window before the window is judged: load beyond it would be of no step.
type judging struct {
	runner.Analyst
	windows *loadtest.Windows
}

func (j judging) Check(ctx context.Context, now time.Time) []rollout.CheckResult {
	_, _ = j.windows.End(ctx) // the end of ctx is told by the checks
	return j.Analyst.Check(ctx, now)
}

// stepping tells the load at which step it is made.
type stepping struct {
	runner.Hooks
	windows *loadtest.Windows
}

func (s stepping) Call(ctx context.Context, kind canary.HookType, st *rollout.Status) rollout.HookAnswer {
	s.windows.At(st.Step)
	return s.Hooks.Call(ctx, kind, st)
}

// loadReporter shows the load that was made, beside the rollout.
type loadReporter struct {
	runner.Reporter
	windows *loadtest.Windows
}

func (r loadReporter) Report(ctx context.Context, u runner.Update) {
	u.Snapshot.Loads = measured(r.windows)
	r.Reporter.Report(ctx, u)
}

// measured is the load so far, as it is shown.
func measured(w *loadtest.Windows) []report.Load {
	var all []report.Load
	for _, m := range w.Measured() {
		if m.Load == nil {
			continue
		}
		f := loadFigures(m)
		one := report.Load{
			Step: m.Step, Webhook: m.Webhook, Task: m.Task, Passed: m.Passed, Message: m.Message, Notes: m.Notes,
			Requests: f.Requests, Unanswered: f.Failed, Rate: f.Rate, Elapsed: m.Load.Elapsed,
			Mean: m.Load.Mean, Slowest: m.Load.Slowest, Status: f.Status, Codes: f.Codes, Errors: m.Load.Errors,
		}
		one.P50, _ = m.Load.Percentile(50)
		one.P95, _ = m.Load.Percentile(95)
		one.P99, _ = m.Load.Percentile(99)
		all = append(all, one)
	}
	return all
}
