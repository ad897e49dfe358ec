package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/server"
)

// runs knows which rollouts the jobs of a workflow run, or of a pipeline, have left unfinished.
type runs struct {
	starts

	mu        sync.Mutex
	standings map[string][]report.Standing // by the namespace that is watched
	waited    map[string]bool              // suspensions of which it was said what they wait for
}

// see takes what is kept about the canaries of a namespace, empty for all of them.
func (r *runs) see(namespace string, all []report.Standing) {
	var unfinished []report.Standing
	for i := range all {
		if !all[i].Record.Status.Over() && all[i].Problem == "" {
			unfinished = append(unfinished, all[i])
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.standings[namespace] = unfinished
	there := map[string]bool{}
	for _, standings := range r.standings {
		for i := range standings {
			there[standings[i].Record.Suspension()] = true
		}
	}
	maps.DeleteFunc(r.waited, func(suspension string, _ bool) bool { return !there[suspension] })
}

// left is a rollout that a job has left, with what it has kept.
type left struct {
	standing report.Standing
	plan     unkept
}

// of returns the rollouts whose job was of this run.
func (r *runs) of(s server.Subject) []left {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []left
	for _, standings := range r.standings {
		for i := range standings {
			one := &standings[i]
			u, err := readKept(one.Namespace, one.Canary, &one.Record)
			if err != nil {
				continue // nobody knows whose it is
			}
			ci := &u.job.CI
			id := ci.RunID
			if ci.Platform == forge.PlatformGitLab {
				id = strconv.FormatInt(ci.PipelineID, 10)
			}
			if approval.Platform(ci.Platform) == s.Platform && ci.RepositoryID == s.Repository && id == strconv.FormatInt(s.Run, 10) {
				all = append(all, left{*one, u})
			}
		}
	}
	return all
}

// look looks at the rollouts of a run of which something was said: a job of it is over, or waits for a rule.
func (r *runs) look(ctx context.Context, s server.Subject) error {
	r.s.resumer.Wake(s.Platform, s.Repository)
	var problems []error
	for _, one := range r.of(s) {
		var err error
		if one.standing.Record.Suspension() != "" {
			err = r.wait(ctx, &one)
		} else {
			err = r.over(ctx, &one)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s/%s: %w", one.standing.Namespace, one.standing.Canary, err))
		}
	}
	return errors.Join(problems...)
}

// over tells the watchdog of a job that is over and has left its rollout unfinished: it need not wait for the lease.
func (r *runs) over(ctx context.Context, one *left) error {
	s, ci := &one.standing, &one.plan.job.CI
	if r.s.guard == nil || !r.s.hooks.allows(approval.Platform(ci.Platform), ci.RepositoryID) {
		return nil
	}
	over, err := r.office.Over(ctx, *ci)
	if err == nil && over {
		r.s.guard.dog.Over(s.Namespace, s.Canary, s.Record.ID)
	}
	return err
}

// wait tells whoever looks at a job that waits for a rollout what the rollout waits for, once.
func (r *runs) wait(ctx context.Context, one *left) error {
	s := &one.standing
	suspension := s.Record.Suspension()
	if s.Gate == nil || one.plan.resume.Kind != forge.ProtectionRule || r.said(suspension, false) {
		return nil
	}
	starter, err := r.starts.of(&one.plan, &s.Record, "")
	if err != nil {
		return err
	}
	if waiter, ok := starter.(forge.Waiter); ok {
		if err := waiter.Wait(ctx, report.WaitsFor(s)); err != nil {
			return err // and is said when somebody looks again
		}
	}
	r.said(suspension, true)
	return nil
}

// said reports whether it was said of a suspension what it waits for, and remembers that it is now.
func (r *runs) said(suspension string, now bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.waited[suspension]
	if now {
		r.waited[suspension] = true
	}
	return before
}
