package trial

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Plan is what is tried.
type Plan struct {
	Spec    rollout.Spec
	Checks  []metric.Check // one for each of Spec.Checks, in their order
	Traffic Traffic
	Trials  int
	Seed    uint64
}

// Result is how the trials of a release ended. The medians are of the trials in which it was rolled back.
type Result struct {
	Release
	Trials     int           `json:"trials"`
	RolledBack int           `json:"rolledBack"`
	GotThrough int           `json:"gotThrough"`
	Others     int           `json:"others"`               // halted, or held until the end of the trial
	After      time.Duration `json:"-"`                    // median time from the canary's first request to the rollback
	Seconds    float64       `json:"caughtAfter"`          // the same in seconds
	Failed     int           `json:"failedRequests"`       // median number of the users' requests that failed on the canary
	Answers    int           `json:"requestsToTheRelease"` // median number of the users' requests that the canary answered
	Because    []Cause       `json:"because,omitempty"`    // what the last analysis before a rollback found, the most frequent first
}

// Cause is a check that did not pass when a rollout was rolled back.
type Cause struct {
	Check   string          `json:"check"`
	Verdict rollout.Verdict `json:"verdict"`
	Trials  int             `json:"trials"` // in which it was so; several checks of one trial each count
}

// Releases are what is tried unless something else is asked for, the healthy one first.
func Releases() []Release {
	return []Release{
		{Name: "healthy", Slower: 1},
		{Name: "0.5 % errors", Errors: 0.5, Slower: 1}, {Name: "1 % errors", Errors: 1, Slower: 1}, {Name: "2 % errors", Errors: 2, Slower: 1},
		{Name: "5 % errors", Errors: 5, Slower: 1}, {Name: "10 % errors", Errors: 10, Slower: 1},
		{Name: "1.2 times as slow", Slower: 1.2}, {Name: "1.5 times as slow", Slower: 1.5}, {Name: "2 times as slow", Slower: 2}, {Name: "4 times as slow", Slower: 4},
	}
}

// tick is the grain of the traffic: the shortest time that a sample of a comparison is of.
func (p *Plan) tick() time.Duration {
	length := p.Spec.Interval / canary.DefaultSamples
	for i := range p.Checks {
		if v := p.Checks[i].Versus; v != nil {
			length = min(length, v.Every)
		}
		length = min(length, p.Checks[i].Interval)
	}
	return max(length, time.Millisecond)
}

// Run plays the trials of a release on all processors, until they are over or going says that they are not wanted any more.
// The result depends on the plan and the release alone.
func (p *Plan) Run(r Release, going func() bool) Result {
	ends := make([]end, p.Trials)
	played := make([]bool, p.Trials)
	workers := min(runtime.GOMAXPROCS(0), max(p.Trials, 1))
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < p.Trials && going(); i += workers {
				ends[i], played[i] = p.play(r, i), true
			}
		})
	}
	all.Wait()
	out := Result{Release: r}
	var after []time.Duration
	var failed, answers []int
	causes := map[Cause]int{}
	for i, e := range ends {
		if !played[i] {
			continue
		}
		out.Trials++
		switch e.outcome {
		case rollout.RolledBack:
			out.RolledBack++
			after, failed, answers = append(after, e.after), append(failed, e.failed), append(answers, e.answers)
			for _, c := range e.causes {
				causes[c]++
			}
		case rollout.Promoted:
			out.GotThrough++
		default:
			out.Others++
		}
	}
	out.After, out.Failed, out.Answers = median(after), median(failed), median(answers)
	out.Because = byFrequency(causes)
	out.Seconds = out.After.Round(time.Millisecond).Seconds()
	return out
}

// byFrequency sorts causes, the most frequent first.
func byFrequency(causes map[Cause]int) []Cause {
	var all []Cause
	for c, n := range causes {
		c.Trials = n
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Trials, a.Trials), cmp.Compare(a.Check, b.Check), cmp.Compare(a.Verdict, b.Verdict))
	})
	return all
}

// median is the middle value, the upper one of two; 0 without any.
func median[T int | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
