package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-dev/penstock/internal/fleet"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// memoryPerCanary is what the soft memory limit grows by for each further canary.
const memoryPerCanary = 1 << 20 // bytes

// squad is a run of several canaries.
type squad struct {
	app    *App
	drives []*drive
	names  []string // namespace/name
	plan   fleet.Plan
	muster *fleet.Muster
	group  *fleet.Group // nil without --group
	board  board

	bulletin *bulletin
	posters  []*poster

	mu      sync.Mutex
	members []report.FleetMember
	left    map[int]leftover // what could not be brought to an end
}

// leftover is as far as a rollout has come that its run could not finish, and why.
type leftover struct {
	result runner.Result
	err    error
}

// fleetRun is what a run of several canaries is made of.
type fleetRun struct {
	client *kube.Client
	*order
}

// runFleet runs all canaries of the files.
func (a *App) runFleet(ctx context.Context, in *runInputs, run *fleetRun) error {
	q, err := a.fleetOf(ctx, in, run)
	if err != nil {
		return err
	}
	if in.DryRun {
		return q.dryRun(ctx)
	}
	if a.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit + int64(len(q.drives)-1)*memoryPerCanary)
	}
	metrics, err := a.openMetrics(ctx, in.metricsInputs)
	if err != nil {
		return err
	}
	defer metrics.close()
	q.prepare(ctx, metrics)
	at := q.plan.Run(fleet.Actions{
		Start: func(i int) bool { return q.start(ctx, i) },
		Skip: func(i, because int) {
			q.skip(i, fmt.Sprintf("%s did not end well", q.names[because]), q.members[because].ExitCode)
		},
		Stop: a.Stop,
	})
	for i, stage := range at {
		if stage == fleet.Waiting {
			q.skip(i, "cancelled before it was started", ExitCancelled)
		}
	}
	if err := q.board.Close(); err != nil {
		return unfinished(err)
	}
	q.publish(ctx)
	return a.finishFleet(report.Fleet{Canaries: q.members}, in.Output)
}

// publish lands the last page of every canary.
func (q *squad) publish(ctx context.Context) {
	var all sync.WaitGroup
	for i := range q.members {
		m := &q.members[i]
		var err error
		if left, is := q.left[i]; is {
			err = left.err
		}
		if m.Skipped != "" {
			q.posters[i].skip(m.Skipped)
		}
		all.Go(func() { q.posters[i].close(ctx, err) })
		if m.Skipped == "" && m.Error == "" {
			q.posters[i].ended(m.Result, q.posters[i].last, false)
		}
	}
	all.Wait()
	for i, left := range q.left {
		q.posters[i].broken(left.result, left.err, false)
	}
}

// prepare gives every canary its views and its place in the run.
func (q *squad) prepare(ctx context.Context, m *metrics) {
	lines := make([]report.FleetLine, len(q.drives))
	q.muster, q.left = fleet.NewMuster(q.plan.First()), map[int]leftover{}
	for i, d := range q.drives {
		s := d.snapshot()
		s.Spec = d.spec
		s.Reason = "waits for its turn"
		if waits := q.plan.Waits(i, make([]fleet.Stage, len(q.drives))); len(waits) > 0 {
			s.Reason = "waits for " + fleet.List(waits, 5)
		}
		lines[i] = report.FleetLine{Snapshot: s, Waits: true}
		q.members = append(q.members, report.FleetMember{Result: report.Summarise(s)})
		p := q.bulletin.poster(ctx, d.canary, false)
		q.posters = append(q.posters, p)
		d.gated, d.links = p.gated, p.links
		q.bulletin.identify(d)
		d.reporters = append([]runner.Reporter{boardReporter{q, i}, p}, m.reporters(d.canary)...)
		d.checked = func(ctx context.Context) error { return q.checked(ctx, i) }
		d.join = func(ctx context.Context, r *runner.Run) (func(), error) { return q.join(ctx, i, r) }
	}
	q.board = q.app.board(lines, q.drives[0].clock.Now)
}

// boardReporter shows the decisions of one of several canaries.
type boardReporter struct {
	squad *squad
	i     int
}

func (r boardReporter) Report(_ context.Context, u runner.Update) {
	r.squad.board.Send(r.i, u.Snapshot)
}

// errGroupBroken ends a member before it touches anything.
var errGroupBroken = errors.New("another canary of the group did not pass")

// checked waits until the canaries that start first are all known to be without problems.
func (q *squad) checked(ctx context.Context, i int) error {
	err := q.muster.Ready(ctx, i)
	switch {
	case errors.Is(err, fleet.ErrNotStarted):
		return err
	case err != nil:
		return q.drives[i].classify(err)
	}
	return q.whole(i)
}

// whole reports whether the group of a canary can still pass.
func (q *squad) whole(i int) error {
	if q.group == nil {
		return nil
	}
	if why := q.group.Member(i).Broken(); why != "" {
		return fmt.Errorf("%w: %s", errGroupBroken, why)
	}
	return nil
}

func (q *squad) join(ctx context.Context, i int, r *runner.Run) (func(), error) {
	if err := q.whole(i); err != nil || q.group == nil {
		return func() {}, err
	}
	return q.group.Member(i).Join(ctx, r), nil
}

// start runs one canary to its end.
func (q *squad) start(ctx context.Context, i int) (well bool) {
	result, err := q.drives[i].run(ctx)
	code := exitCode(result.Outcome)
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		code = exit.code
	}
	q.muster.Away(i, code == ExitBadInput)
	if q.group != nil {
		outcome := result.Outcome
		if err != nil {
			outcome = rollout.Running
		}
		q.group.Member(i).Ended(outcome)
	}
	switch {
	case errors.Is(err, fleet.ErrNotStarted), errors.Is(err, errGroupBroken):
		q.skip(i, err.Error(), ExitOK) // the verdict is the other's
		return false
	case err != nil:
		q.end(i, func(m *report.FleetMember) {
			if result.Snapshot.Canary != "" {
				m.Result = report.Summarise(result.Snapshot)
			}
			m.ExitCode, m.Error = code, err.Error()
			q.left[i] = leftover{result, err}
		})
		return false
	}
	q.end(i, func(m *report.FleetMember) { m.Result, m.ExitCode = report.Summarise(result.Snapshot), code })
	return code == ExitOK && result.Outcome != rollout.Suspended && result.Outcome != rollout.Gated
}

func (q *squad) end(i int, f func(*report.FleetMember)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f(&q.members[i])
	q.board.End(i)
}

// skip notes a canary that was not started.
func (q *squad) skip(i int, why string, code int) {
	q.board.Skip(i, "skipped: "+why)
	q.end(i, func(m *report.FleetMember) { m.Skipped, m.ExitCode = why, code })
}

// dryRun prints what the run would do with each canary.
func (q *squad) dryRun(ctx context.Context) error {
	var problems []error
	code := ExitOK
	for i, d := range q.drives {
		fmt.Fprintf(q.app.Stdout, "# %s\n", q.names[i])
		if waits := q.plan.Waits(i, make([]fleet.Stage, len(q.drives))); len(waits) > 0 {
			fmt.Fprintf(q.app.Stdout, "# starts after %s\n", strings.Join(waits, ", "))
		}
		err := q.app.dryRun(ctx, d)
		if exit := (*exitError)(nil); errors.As(err, &exit) {
			code = worst(code, exit.code)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("canary %q: %w", q.names[i], err))
		}
		fmt.Fprintln(q.app.Stdout)
	}
	if err := errors.Join(problems...); err != nil {
		return &exitError{code, err}
	}
	return nil
}

// severity is the order of the exit codes of several canaries: the first that any of them has is that of the run.
var severity = []int{ExitCancelled, ExitBadInput, ExitRolledBack, ExitUnfinished, ExitSuperseded, ExitOK}

func worst(codes ...int) int {
	for _, code := range severity {
		if slices.Contains(codes, code) {
			return code
		}
	}
	return ExitUnfinished
}

// finishFleet prints all results and ends with the worst exit code.
func (a *App) finishFleet(f report.Fleet, output string) error {
	var codes []int
	for i := range f.Canaries {
		codes = append(codes, f.Canaries[i].ExitCode)
	}
	f.ExitCode = worst(codes...)
	look := ScreenOf(a.Stderr, a.Getenv).Look
	a.say(fmt.Sprintf("\n%s\n%s", look.FleetTable(f), look.FleetClosing(f)))
	if output == "json" {
		body, err := f.JSON()
		if err == nil {
			_, err = a.Stdout.Write(body)
		}
		if err != nil {
			return unfinished(fmt.Errorf("print the results: %w", err))
		}
	}
	if f.ExitCode != ExitOK {
		return &exitError{code: f.ExitCode}
	}
	return nil
}
