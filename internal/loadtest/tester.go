package loadtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Tester runs tasks. It is safe for concurrent use.
type Tester struct {
	options Options
	results results
	slots   chan struct{}
	waits   sync.WaitGroup

	mu      sync.Mutex
	count   uint64
	running map[string]*run // by the hash of the task; those that wait, too
}

// run is a task that was taken. result and err are set when done is closed.
type run struct {
	id     string
	done   chan struct{}
	result Result
	err    error
}

// New returns a Tester. The error lists everything that is wrong with the options.
func New(o Options) (*Tester, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Tester{
		options: o,
		results: results{keep: o.Keep},
		slots:   make(chan struct{}, o.Concurrency),
		running: map[string]*run{},
	}, nil
}

// Check returns what is wrong with a payload, as Run would; nil when it may run.
func (t *Tester) Check(p Payload) error {
	_, err := t.options.parse(p)
	return err
}

// Run runs a task and waits for its end, or for that of ctx, which ends the task. While the same task already runs, it
// waits for that one instead of running a second.
//
// A task that has failed, or ran out of time, is a Result that has not passed. The error is of type Problems, ErrForbidden,
// ErrBusy, or says why the task could not be done or was interrupted.
func (t *Tester) Run(ctx context.Context, p Payload) (Result, error) {
	taken, err := t.take(ctx, p)
	if err != nil {
		return Result{}, err
	}
	return taken.wait(ctx)
}

// Start starts a task, unless the same one already runs, and does not wait for it. ctx is what the task lives in: it ends
// with ctx at the latest. The errors are those that Run finds before a task starts. The id is that of the Result.
func (t *Tester) Start(ctx context.Context, p Payload) (id string, err error) {
	taken, err := t.take(ctx, p)
	if err != nil {
		return "", err
	}
	return taken.id, nil
}

// Wait waits until no task runs or waits.
func (t *Tester) Wait() {
	t.waits.Wait()
}

// Results returns the last results, in the order in which the tasks ended. Tasks that were interrupted have none.
func (t *Tester) Results() []Result {
	return t.results.all()
}

// take makes a task run, or finds the same one that already does.
func (t *Tester) take(ctx context.Context, p Payload) (*run, error) {
	task, err := t.options.parse(p)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if same, exists := t.running[task.hash]; exists {
		return same, nil
	}
	if len(t.running) >= t.options.Queue {
		return nil, fmt.Errorf("%w: %d of %d", ErrBusy, len(t.running), t.options.Queue)
	}
	t.count++
	r := &run{id: task.hash + "-" + strconv.FormatUint(t.count, 10), done: make(chan struct{})}
	t.running[task.hash] = r
	t.waits.Go(func() { t.carry(ctx, task, r) })
	return r, nil
}

// wait waits for the end of a run.
func (r *run) wait(ctx context.Context) (Result, error) {
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
	}
	return Result{}, fmt.Errorf("wait for the load test: %w", ctx.Err())
}

// carry runs a task when its turn has come, and lets go of it.
func (t *Tester) carry(ctx context.Context, task *task, r *run) {
	r.result, r.err = t.do(ctx, task, r.id)
	switch {
	case r.err == nil:
		t.results.add(r.result)
		if t.options.Done != nil {
			t.options.Done(r.result)
		}
	case t.options.Undone != nil:
		t.options.Undone(task.payload, r.err)
	}
	t.mu.Lock()
	delete(t.running, task.hash)
	t.mu.Unlock()
	close(r.done)
}

// do waits for a place, and runs a task within its time.
func (t *Tester) do(ctx context.Context, task *task, id string) (Result, error) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("wait for a place for %s: %w", task.job, ctx.Err())
	}
	within, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	result := Result{
		ID: id, Name: task.payload.Name, Namespace: task.payload.Namespace, Phase: task.payload.Phase,
		Type: task.kind, Task: task.job.String(), Started: time.Now(), Log: task.log,
	}
	end, err := task.job.run(within)
	result.Elapsed = time.Since(result.Started)
	if ctx.Err() != nil && !end.passed && !enough(ctx) {
		return Result{}, fmt.Errorf("%s was interrupted: %w", task.job, ctx.Err())
	}
	// Not the error of the job decides, but that of the context: a job may have ended in time with whatever it has.
	if errors.Is(within.Err(), context.DeadlineExceeded) && !end.passed {
		end.message, err = fmt.Sprintf("stopped after %s, the most that a task may take", t.options.Timeout), nil
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", task.job, err)
	}
	result.Passed, result.Message, result.Notes = end.passed, end.message, end.notes
	result.Output, result.Load = end.output, end.load
	return result, nil
}
