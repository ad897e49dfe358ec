package runner_test

import (
	"context"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// stuck is a process whose calls of one method get no answer while it is being analysed.
type stuck struct {
	*process
	method string
}

func (s stuck) hang(ctx context.Context, method string) {
	if method == s.method {
		time.AfterFunc(3*time.Second, s.steal)
		<-ctx.Done()
	}
}

func (s stuck) Load(ctx context.Context) (rollout.Record, error) {
	if s.hang(ctx, "load"); ctx.Err() != nil {
		return rollout.Record{}, ctx.Err()
	}
	return s.process.Load(ctx)
}

func (s stuck) Save(ctx context.Context, r rollout.Record) error {
	if s.hang(ctx, "save"); ctx.Err() != nil {
		return ctx.Err()
	}
	return s.process.Save(ctx, r)
}

func (s stuck) Apply(ctx context.Context, want rollout.World) error {
	if s.hang(ctx, "apply"); ctx.Err() != nil {
		return ctx.Err()
	}
	return s.process.Apply(ctx, want)
}

func (s stuck) SetImage(ctx context.Context, images map[string]string) (bool, error) {
	if s.hang(ctx, "set image"); ctx.Err() != nil {
		return false, ctx.Err()
	}
	return s.process.SetImage(ctx, images)
}

func (s stuck) Check(ctx context.Context, now time.Time) []rollout.CheckResult {
	s.hang(ctx, "check")
	return s.process.Check(ctx, now)
}

func (s stuck) Call(ctx context.Context, hook canary.HookType, _ *rollout.Status) rollout.HookAnswer {
	s.hang(ctx, string(hook))
	return rollout.HookAnswer{Verdict: rollout.Pass}
}

// A run that is superseded stops at once, whatever it is doing, and says when nothing of it is under way any more.
func TestASupersededRunBreaksOffWhateverItIsDoing(t *testing.T) {
	t.Parallel()
	for _, method := range []string{
		"load", "save", "apply", "set image", "check", "pre-rollout", "rollout", "confirm-rollout", "confirm-promotion",
	} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := initialised(t)
				w.spec.Hooks = []canary.HookType{
					canary.HookPreRollout, canary.HookRollout, canary.HookConfirmRollout, canary.HookConfirmPromotion,
				}
				p := w.newProcess()
				s := stuck{p, method}
				run := newRun(p, "v2")
				run.Cluster, run.Journal, run.Analyst, run.Hooks = s, s, s, s
				var yielded time.Time
				run.Yield = func() { yielded = time.Now() }
				lost := make(chan time.Time, 1)
				go func() { <-p.Lost(); lost <- time.Now() }()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				result, err := run.Do(ctx)
				if err != nil || result.Outcome != rollout.Superseded {
					t.Fatalf("it ended with %v, %v", result.Outcome, err)
				}
				if at := <-lost; !yielded.Equal(at) || !time.Now().Equal(at) {
					t.Errorf("superseded at %s, it had stopped at %s, and ended at %s", at, yielded, time.Now())
				}
			})
		})
	}
}

var _ runner.Hooks = stuck{}
