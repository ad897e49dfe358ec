package report

import (
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Snapshot is a rollout right after a decision: all that the views show.
type Snapshot struct {
	Canary    string // name of the Canary
	Namespace string
	Provider  string // the router, such as "gatewayapi:v1"

	Spec    rollout.Spec
	Status  rollout.Status   // the decision's next status
	Target  rollout.Workload // runs the canary
	Primary rollout.Workload
	Route   rollout.RouteReport
	Checks  []rollout.CheckResult // as last judged; may be empty

	Reason  string          // why this was decided, as one sentence
	Now     time.Time       // of the decision; a view that counts down moves it on
	WakeAt  time.Time       // when the next decision is due at the latest; zero when the run is over
	Outcome rollout.Outcome // Running until the run is over

	Image    string          // what is rolled out; empty when not known
	OldImage string          // what the primary runs; empty when not known
	History  []rollout.Entry // oldest first
	Loads    []Load          // that the run has made itself, oldest first
}

func name(namespace, canary string) string {
	if namespace == "" {
		return Clean(canary)
	}
	return Clean(namespace) + "/" + Clean(canary)
}

// percent writes a weight.
func percent(w rollout.Weight) string { return strconv.Itoa(int(w)) + "%" }

// seconds writes d rounded to what a person counts in: below ten seconds to a tenth, from an hour on to a minute.
func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		d = d.Round(time.Second)
		return twoUnits(int(d/time.Minute), "m", int(d%time.Minute/time.Second), "s")
	}
	d = d.Round(time.Minute)
	return twoUnits(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "m")
}

func twoUnits(big int, bigUnit string, small int, smallUnit string) string {
	text := strconv.Itoa(big) + bigUnit
	if small > 0 {
		text += strconv.Itoa(small) + smallUnit
	}
	return text
}

// left is the time to the next decision, in whole seconds and never negative.
func (s *Snapshot) left() time.Duration {
	d := s.WakeAt.Sub(s.Now)
	if d <= 0 {
		return 0
	}
	return (d + time.Second - 1).Truncate(time.Second)
}

// counting reports whether the next decision comes at WakeAt, as at the end of an analysis window. Otherwise WakeAt is
// the deadline of a wait that will end before, if all goes well.
func (s *Snapshot) counting() bool {
	return !s.WakeAt.IsZero() && (!s.Status.Window.IsZero() || !s.WakeAt.After(s.Now))
}

// due says when the next decision is, such as "next in 10s", or the empty string when the run is over.
func (s *Snapshot) due() string {
	switch {
	case s.Outcome != rollout.Running || s.WakeAt.IsZero():
		return ""
	case s.left() == 0:
		return "next now"
	case s.counting():
		return "next in " + seconds(s.left())
	}
	return "waits up to " + seconds(s.left())
}

// weight is the canary's share as the router reports it, or as it is wanted when the router says nothing.
func (s *Snapshot) weight() rollout.Weight {
	w := s.Status.Weight
	if s.Route.Known && s.Route.Managed {
		w = s.Route.Canary
	}
	return min(max(w, 0), 100)
}

// judged returns the results to show: one per check of the spec, the latest known, and an empty one before the first.
func (s *Snapshot) judged() []rollout.CheckResult {
	latest := map[string]rollout.CheckResult{}
	var order []string
	add := func(c rollout.CheckResult) {
		if _, seen := latest[c.Name]; !seen {
			order = append(order, c.Name)
		}
		latest[c.Name] = c
	}
	for _, n := range s.Spec.Checks {
		add(rollout.CheckResult{Name: n})
	}
	for i := range s.History {
		for _, c := range s.History[i].Checks {
			add(c)
		}
	}
	for _, c := range s.Checks {
		add(c)
	}
	out := make([]rollout.CheckResult, len(order))
	for i, n := range order {
		out[i] = latest[n]
	}
	return out
}

// values returns the last n values of one check, oldest first; nil stands for an answer without one.
func (s *Snapshot) values(check string, n int) []*float64 {
	var out []*float64
	for i := range s.History {
		for j := range s.History[i].Checks {
			if c := &s.History[i].Checks[j]; c.Name == check {
				out = append(out, c.Value)
			}
		}
	}
	return out[max(0, len(out)-n):]
}
