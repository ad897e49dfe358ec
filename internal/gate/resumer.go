package gate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// The pauses of a Resumer: between two tries, each twice the one before, and what one try may take.
const (
	resumePause    = 2 * time.Second
	resumePauseMax = 30 * time.Second
	resumeLimit    = time.Minute
)

// Marks keeps how far somebody is with resuming a rollout. change is pure, and may be called several times.
type Marks interface {
	Resume(ctx context.Context, namespace, canary string, change func(rollout.Record, rollout.Resumption) rollout.Resumption) error
}

// ResumerConfig is what a Resumer is made of.
type ResumerConfig struct {
	Marks Marks
	// Starter returns what starts the run of a suspended rollout, for this reason; nil when a person is to start it.
	Starter func(s *report.Standing, why string) (forge.Starter, error)
	// End brings a rollout that people have rejected to its end. nil: the run that is started does.
	End func(ctx context.Context, s *report.Standing, why string) error
	// Tell tells people that nobody starts the run, and what to do by hand.
	Tell  func(ctx context.Context, s *report.Standing, problem, byHand string) error
	Clock clock.WithTicker
	Warn  func(canary string, err error)   // told what is tried again
	Say   func(canary string, text string) // told what becomes of a rollout
}

// Resumer starts the run that takes up a suspended rollout, when people have answered its gate. All that it goes by is in
// the cluster: it may begin at any time, and work beside others.
type Resumer struct {
	ResumerConfig

	mu      sync.Mutex
	tasks   map[string]*task // by namespace/canary
	changed chan struct{}    // holds one token when there is something to do
	work    sync.WaitGroup
}

// task is a rollout whose gate has been answered.
type task struct {
	standing report.Standing
	answer   answered
	due      time.Time // zero: there is nothing more to do
	pause    time.Duration
	busy     bool
}

// answered is what people have said at the gate of a suspended rollout. It is comparable: another one is another task.
type answered struct {
	suspension, gate string // the gate by its target
	open             bool   // otherwise it was rejected, or the rollout aborted
	why              string
}

// NewResumer returns a Resumer. It makes no request.
func NewResumer(c ResumerConfig) *Resumer {
	return &Resumer{ResumerConfig: c, tasks: map[string]*task{}, changed: make(chan struct{}, 1)}
}

// answerOf returns what was answered; none when the rollout is not suspended, or its gate has no answer.
func answerOf(s *report.Standing, now time.Time) (a answered, found bool) {
	st, n := &s.Record.Status, s.Notice
	a.suspension = s.Record.Suspension()
	if a.suspension == "" || s.Problem != "" || n == nil || n.Gate.Name != string(st.Gate) || st.Lapsed(now) {
		return a, false
	}
	v := approval.Judge(n.Gate, n.Policy, s.Decisions, now)
	a.gate, a.open = n.Gate.Target().String(), v.Open
	if !v.Open && !v.Rejected && !v.Aborted {
		return a, false
	}
	for _, vote := range v.Votes { // the last one that decides it
		yes := vote.Verb == approval.Approve || vote.Verb == approval.Promote
		no := vote.Verb == approval.Reject && v.Rejected || vote.Verb == approval.Abort && v.Aborted
		if vote.Counted && (v.Open && yes || !v.Open && no) {
			a.why = fmt.Sprintf("%s by %s", vote.Verb, report.Clean(vote.Actor.Login))
		}
	}
	return a, true
}

// See takes what is kept about the canaries of a namespace, empty for all of them.
func (r *Resumer) See(namespace string, all []report.Standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, there := r.Clock.Now(), map[string]bool{}
	for i := range all {
		s := &all[i]
		answer, found := answerOf(s, now)
		if !found {
			continue
		}
		key := s.Namespace + "/" + s.Canary
		there[key] = true
		switch t := r.tasks[key]; {
		case t == nil:
			r.tasks[key] = &task{standing: *s, answer: answer, due: now}
		case t.answer != answer:
			t.standing, t.answer, t.due, t.pause = *s, answer, now, 0
		}
	}
	for key, t := range r.tasks {
		if !there[key] && (namespace == "" || t.standing.Namespace == namespace) {
			delete(r.tasks, key)
		}
	}
	r.signal()
}

// Wake tries at once what waits for a run of a repository to be over: somebody says that it is.
func (r *Resumer) Wake(platform approval.Platform, repository int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tasks {
		if of := t.standing.Notice.Gate.Source; of.Platform == platform && of.Repository == repository && !t.due.IsZero() && !t.busy {
			t.due, t.pause = r.Clock.Now(), 0
		}
	}
	r.signal()
}

func (r *Resumer) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, on one canary at a time each.
func (r *Resumer) Run(ctx context.Context) {
	defer r.work.Wait()
	for {
		wait := 24 * time.Hour // nothing but news gives it something to do
		if next := r.dispatch(ctx); !next.IsZero() {
			wait = next.Sub(r.Clock.Now())
		}
		timer := r.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-r.changed:
		case <-timer.C():
		}
		if timer.Stop(); ctx.Err() != nil {
			return
		}
	}
}

// dispatch begins what is due, and returns when the next is; zero is never.
func (r *Resumer) dispatch(ctx context.Context) (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Clock.Now()
	for _, t := range r.tasks {
		switch {
		case t.due.IsZero(), t.busy:
		case t.due.After(now):
			if next.IsZero() || t.due.Before(next) {
				next = t.due
			}
		default:
			t.busy = true
			s, answer := t.standing, t.answer
			r.work.Go(func() { r.tried(t, answer, r.try(ctx, &s, answer)) })
		}
	}
	return next
}

// outcome is what a try has come to. The zero value is that there is nothing more to do.
type outcome struct {
	again bool
	after time.Duration // 0: the usual pause
}

func (r *Resumer) tried(t *task, of answered, out outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.busy = false
	if t.answer == of { // otherwise it is due for another one
		t.due = time.Time{}
		if out.again {
			t.pause = min(max(2*t.pause, resumePause), resumePauseMax)
			t.due = r.Clock.Now().Add(max(t.pause, out.after))
		}
	}
	r.signal()
}
