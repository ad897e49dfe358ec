package loadtest

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Windows runs the load of the analysis windows of one rollout: that of a window ends when it is judged, or when the next
// begins. It is safe for concurrent use.
type Windows struct {
	tester *Tester

	mu      sync.Mutex
	closed  bool
	step    int
	current []*window // of this window, in the order in which their webhooks were called
	past    []Measured
}

// Measured is the load that a webhook has made at a step.
type Measured struct {
	Step    int    // of the rollout, from 1
	Webhook string // its name
	Result
}

// window is one load that runs, or has run.
type window struct {
	webhook string
	step    int
	stop    context.CancelCauseFunc
	run     *run
}

// mostMeasured is how many results are kept: those of a rollout of a hundred steps, each with a few loads.
const mostMeasured = 500

// NewWindows returns the windows of a rollout whose tasks a tester runs.
func NewWindows(t *Tester) *Windows { return &Windows{tester: t} }

// At says at which step the rollout is.
func (w *Windows) At(step int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = step
}

// Begin starts the load of a webhook for the window that begins now. The same webhook's load of the window before is
// ended. The errors are those of Tester.Start. ctx is what the load lives in.
func (w *Windows) Begin(ctx context.Context, webhook string, p Payload) error {
	if err := w.end(ctx, func(one *window) bool { return one.webhook == webhook }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return context.Canceled
	}
	ctx, stop := context.WithCancelCause(ctx)
	taken, err := w.tester.take(ctx, p)
	if err != nil {
		stop(err)
		return err
	}
	w.current = append(w.current, &window{webhook: webhook, step: w.step, stop: stop, run: taken})
	return nil
}

// Add keeps the result of a task that was waited for.
func (w *Windows) Add(webhook string, r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(Measured{Step: w.step, Webhook: webhook, Result: r})
}

// End ends the load of the window and returns what it has come to, in the order of the webhooks. It may be called again,
// with the same answer, until the next window begins. The error is that of ctx.
func (w *Windows) End(ctx context.Context) ([]Measured, error) {
	w.mu.Lock()
	running := slices.Clone(w.current)
	w.mu.Unlock()
	for _, one := range running {
		one.stop(ErrEnough)
	}
	var all []Measured
	for _, one := range running {
		select {
		case <-one.run.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if one.run.err == nil {
			all = append(all, Measured{Step: one.step, Webhook: one.webhook, Result: one.run.result})
		}
	}
	return all, nil
}

// end ends some of the load, and puts what it has come to among the past.
func (w *Windows) end(ctx context.Context, which func(*window) bool) error {
	w.mu.Lock()
	var ending []*window
	w.current = slices.DeleteFunc(w.current, func(one *window) bool {
		if which(one) {
			ending = append(ending, one)
		}
		return which(one)
	})
	w.mu.Unlock()
	for _, one := range ending {
		one.stop(ErrEnough)
		select {
		case <-one.run.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if one.run.err == nil {
			w.mu.Lock()
			w.keep(Measured{Step: one.step, Webhook: one.webhook, Result: one.run.result})
			w.mu.Unlock()
		}
	}
	return nil
}

func (w *Windows) keep(m Measured) {
	w.past = append(w.past, m)
	w.past = w.past[max(0, len(w.past)-mostMeasured):]
}

// Measured returns what has ended, in the order in which it began; of the present window what has ended by itself.
func (w *Windows) Measured() []Measured {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.past)
	for _, one := range w.current {
		select {
		case <-one.run.done:
			if one.run.err == nil {
				all = append(all, Measured{Step: one.step, Webhook: one.webhook, Result: one.run.result})
			}
		default:
		}
	}
	return all
}

// Stop ends all load and waits for none of it.
func (w *Windows) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, one := range w.current {
		one.stop(ErrEnough)
	}
}

// Close ends all load, and lets none begin any more. It waits until requests that are under way have ended, but no longer
// than limit.
func (w *Windows) Close(limit time.Duration) {
	w.Stop()
	w.mu.Lock()
	running := slices.Clone(w.current)
	w.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, one := range running {
		select {
		case <-one.run.done:
		case <-timer.C:
			return
		}
	}
}
