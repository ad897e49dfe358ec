package analysis

import (
	"context"
	"fmt"
	"time"

	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	firstPause  = time.Second      // between the first try and the second; it doubles with each
	longestWait = 8 * time.Second  // between two tries
	mostPatient = 30 * time.Second // from the first try to the last, however long the analysis interval is
)

// again is when a try that ended in an Error is worth another one: after so much time, or never.
type again time.Duration

const (
	anyTime again = 0
	never   again = -1
)

// againAfter returns when questions are worth asking again. The query that is wrong decides, and else the server that wants
// to be left alone for longest.
func againAfter(answers ...metric.Answer) again {
	longest := anyTime
	for _, a := range answers {
		if a.Lasting {
			return never
		}
		longest = max(longest, again(a.After))
	}
	return longest
}

// patiently tries until a check has an answer: while it ends in an Error nothing is known of the canary, and a provider
// that is being rolled out itself is back within half a minute more often than not. A failure and an answer without data
// stand as they are. A server that says when it may be asked again is not asked before.
func (a *Analyst) patiently(ctx context.Context, try func() (rollout.CheckResult, again)) rollout.CheckResult {
	began := a.Clock.Now()
	patience := min(a.Interval/2, mostPatient)
	result, when := try()
	pause, tries := firstPause, 1
	for ; when != never && result.Verdict == rollout.Error; tries++ {
		wait := max(pause, time.Duration(when))
		if a.Clock.Since(began)+wait > patience {
			if time.Duration(when) > pause {
				result.Message += fmt.Sprintf("; it may be asked again in %s, and the check has %s in all", time.Duration(when), patience)
			}
			break
		}
		select {
		case <-ctx.Done():
			return result
		case <-a.Clock.After(wait):
		}
		next, more := try()
		if ctx.Err() != nil {
			return result // what was cut off says less than what came before
		}
		result, when, pause = next, more, min(2*pause, longestWait)
	}
	if result.Verdict == rollout.Error && tries > 1 {
		result.Message += fmt.Sprintf("; tried %d times within %s", tries, a.Clock.Since(began).Round(time.Second))
	}
	return result
}
