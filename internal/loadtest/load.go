package loadtest

import (
	"context"
	"time"
)

// Load are the figures of generated load. A request that got no answer is an error, whatever the status of the others.
type Load struct {
	Requests int64         // that were made, with those that got no answer
	Rate     float64       // requests a second
	Elapsed  time.Duration // of the whole
	Bytes    int64         // of the bodies of answers that say their length

	// Of the answers:
	Mean, Fastest, Slowest time.Duration
	Percentiles            []Percentile     // in order; none without an answer
	Status                 map[int]int64    // of HTTP
	Codes                  map[string]int64 // of gRPC, by their names
	Errors                 map[string]int64 // by what went wrong, of which the rarest are one
}

// Percentile is the time within which so many percent of the answers came.
type Percentile struct {
	Percent int
	Latency time.Duration
}

// Failed returns how many requests got no answer.
func (l *Load) Failed() int64 {
	var n int64
	for _, count := range l.Errors {
		n += count
	}
	return n
}

// verdict judges load that has ended in a context, and says why it has not passed. That every request failed is no pass: then
// there was no load.
func (l *Load) verdict(ctx context.Context) (passed bool, why string) {
	switch {
	case ctx.Err() != nil && !enough(ctx):
		return false, "stopped before its end"
	case l.Requests == 0:
		return false, "no request was made, or none was answered before the load was over"
	case l.Failed() == l.Requests:
		return false, "no request was answered: " + mostFrequent(l.Errors)
	}
	return true, ""
}

// Percentile returns the time within which so many percent of the answers came; false when it is not known.
func (l *Load) Percentile(percent int) (time.Duration, bool) {
	for _, p := range l.Percentiles {
		if p.Percent == percent {
			return p.Latency, true
		}
	}
	return 0, false
}

// percents are those of hey.
var percents = [...]int{10, 25, 50, 75, 90, 95, 99}

// inSeconds returns seconds as a duration.
func inSeconds(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
