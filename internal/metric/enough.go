package metric

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Enough holds the number of requests behind a result to the check's AtLeast. Below it the result has no data, whatever
// its value: one failure among three requests is no rate. Without an answer nobody knows, which is an Error.
func Enough(c Check, r rollout.CheckResult, count Answer) rollout.CheckResult {
	return c.enough(r, count, "")
}

// EnoughOfBoth is Enough for a check that holds the canary to the primary: each needs as many requests.
func EnoughOfBoth(c Check, r rollout.CheckResult, canaries, primaries Answer) rollout.CheckResult {
	r = c.enough(r, canaries, " of the canary")
	if r.Verdict == rollout.NoData {
		return r
	}
	c.Count = c.Versus.Count
	return c.enough(r, primaries, " of the primary")
}

func (c Check) enough(r rollout.CheckResult, count Answer, whose string) rollout.CheckResult {
	if c.Count == "" || c.AtLeast <= 0 || r.Verdict == rollout.Error {
		return r
	}
	number := 0.0
	switch count.Outcome {
	case Number:
		// increase() extrapolates to the ends of the window, so a count of whole requests comes as 19.8 or 20.3.
		number = math.Max(0, math.Round(count.Value))
	case NoData:
	case Several, Unreadable, Row:
		r.Verdict, r.Value = rollout.Error, nil
		r.Message = c.Name + ": the number of requests" + whose + " is unknown: " + count.Message
		return r
	}
	if number >= c.AtLeast {
		return r
	}
	// The value stays out of the result: it would be taken for one that was judged.
	r.Verdict, r.Value = rollout.NoData, nil
	r.Message = fmt.Sprintf("%s: %s%s in the last %s, at least %s are asked for", c.Name, requests(number), whose, lasting(c.Interval), exact(c.AtLeast))
	return r
}

func requests(n float64) string {
	text := strconv.FormatFloat(n, 'f', 0, 64)
	if text == "1" {
		return text + " request"
	}
	return text + " requests"
}

func lasting(d time.Duration) string { return model.Duration(d).String() }
