package analysis

import (
	"context"
	"fmt"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	firstPause  = time.Second      // between the first try and the second; it doubles with each
	longestWait = 8 * time.Second  // between two tries
	mostPatient = 30 * time.Second // from the first try to the last, however long the analysis interval is
)

// patiently tries until a check has an answer: while it ends in an Error nothing is known of the canary, and a provider
// that is being rolled out itself is back within half a minute more often than not. A failure and an answer without data
// stand as they are. try says whether an Error is worth another one.
func (a *Analyst) patiently(ctx context.Context, try func() (rollout.CheckResult, bool)) rollout.CheckResult {
	began := a.Clock.Now()
	patience := min(a.Interval/2, mostPatient)
	result, again := try()
	pause, tries := firstPause, 1
	for ; again && result.Verdict == rollout.Error && a.Clock.Since(began)+pause <= patience; tries++ {
		select {
		case <-ctx.Done():
			return result
		case <-a.Clock.After(pause):
		}
		var next rollout.CheckResult
		next, again = try()
		if ctx.Err() != nil {
			return result // what was cut off says less than what came before
		}
		result, pause = next, min(2*pause, longestWait)
	}
	if result.Verdict == rollout.Error && tries > 1 {
		result.Message += fmt.Sprintf("; tried %d times within %s", tries, a.Clock.Since(began).Round(time.Second))
	}
	return result
}
