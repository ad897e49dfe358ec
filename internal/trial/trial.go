package trial

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// The bounds of one trial. A canary that is held until it has data may be held for as long as a gate is waited for.
const (
	longest = 30 * 24 * time.Hour // of virtual time
	idle    = 50                  // decisions at one moment
)

// trial is one rollout.
type trial struct {
	plan    *Plan
	source  source
	now     time.Time
	st      rollout.Status
	route   rollout.Route
	primary string // the revision that it runs

	ticks   []tick
	keep    int // ticks that some check looks back at
	length  time.Duration
	exposed time.Time // when the canary got its first request
	ended   time.Time // when it was decided to take its traffic away
	answers int       // of the canary to users
	failed  int       // of those
	causes  []Cause   // checks that did not pass when they were last asked
}

const oldRevision, newRevision = "old", "new"

// play runs a rollout to its end. The same seed and number give the same one.
func (p *Plan) play(r Release, number int) end {
	length := p.tick()
	t := &trial{
		plan: p, now: time.Unix(1_700_000_000, 0), primary: oldRevision, length: length,
		route: rollout.Route{Managed: true},
		st:    rollout.Status{Phase: rollout.Initialized, Revision: oldRevision, Promoted: oldRevision, Routed: true},
	}
	for i := range p.Checks {
		t.keep = max(t.keep, 2+int(p.Checks[i].Interval/length))
	}
	random := rand.New(rand.NewPCG(p.Seed, uint64(number)))
	t.source = source{Traffic: &p.Traffic, release: r, random: random, swings: swings{size: p.Traffic.Swing}}
	began := t.now
	for still := 0; still < idle && t.now.Sub(began) < longest; still++ {
		d := t.turn()
		if d.Outcome != rollout.Running {
			return t.end(d.Outcome)
		}
		if d.WakeAt.After(t.now) && d.Next == t.st {
			t.pass(d.WakeAt.Sub(t.now))
			still = 0
		}
		t.st = d.Next
	}
	return t.end(rollout.Running)
}

// turn is a turn of the runner's loop in an ideal cluster.
func (t *trial) turn() rollout.Decision {
	spec := &t.plan.Spec
	asks := rollout.Ask(spec, &t.st)
	ready := rollout.Workload{Exists: true, Revision: newRevision, Replicas: 1, Ready: true, Serving: true}
	obs := rollout.Observation{
		Now: t.now, Target: ready, Primary: ready, Route: rollout.RouteReport{Route: t.route, Known: true, Settled: true},
		Hook: rollout.HookAnswer{Hook: asks.Hook, For: asks.For, Verdict: rollout.Pass},
		Gate: rollout.HookAnswer{Hook: asks.Gate, For: asks.Since, Verdict: rollout.Pass},
	}
	obs.Primary.Revision = t.primary
	if asks.Checks && !t.now.Before(asks.Due) {
		obs.Window, obs.Probe = asks.Window, asks.Probe
		if asks.Probe {
			for _, name := range spec.Checks {
				obs.Checks = append(obs.Checks, rollout.CheckResult{Name: name, Verdict: rollout.Pass})
			}
		} else {
			obs.Checks = t.judge()
			t.causes = causesOf(obs.Checks)
		}
	}
	d := rollout.Decide(spec, &t.st, &obs)
	t.apply(&d)
	return d
}

func (t *trial) apply(d *rollout.Decision) {
	if !d.Want.Touch {
		return
	}
	if d.Want.Primary != "" {
		t.primary = d.Want.Primary
	}
	t.route = d.Want.Route
	some := t.route.Canary > 0 || t.route.Mirror > 0 || t.route.Match
	if some && t.exposed.IsZero() {
		t.exposed = t.now
	}
	if !some && !t.exposed.IsZero() && t.ended.IsZero() && d.Next.Phase == rollout.RollingBack {
		t.ended = t.now
	}
}

// matched is the share of the users that a test by match is taken to select: what the conditions select is not known.
const matched = 0.1

// pass lets time go by, in ticks of which the shorter rest comes first: windows are looked at from their end.
func (t *trial) pass(length time.Duration) {
	share, copied := float64(t.route.Canary)/100, float64(t.route.Mirror)/100
	if t.route.Match {
		share = matched
	}
	t.now = t.now.Add(length)
	if t.exposed.IsZero() || length > 100*time.Duration(t.keep)*t.length { // before it begins, and in waits that last for days
		length = min(length, time.Duration(t.keep)*t.length)
	}
	for rest := length % t.length; length > 0; rest = 0 {
		span := t.length
		if rest > 0 {
			span = rest
		}
		k := t.source.next(span, share, copied)
		if share > 0 {
			t.answers += k.canary.requests
			t.failed += k.canary.errors
		}
		t.ticks = append(t.ticks, k)
		length -= span
	}
	if extra := len(t.ticks) - t.keep; extra > t.keep {
		t.ticks = slices.Delete(t.ticks, 0, extra)
	}
}

// end is how a rollout ended.
type end struct {
	outcome         rollout.Outcome
	after           time.Duration // of exposure; 0 when it was not rolled back
	failed, answers int
	causes          []Cause
}

// causesOf are the checks that did not pass.
func causesOf(checks []rollout.CheckResult) []Cause {
	var all []Cause
	for i := range checks {
		if checks[i].Verdict != rollout.Pass {
			all = append(all, Cause{Check: checks[i].Name, Verdict: checks[i].Verdict})
		}
	}
	return all
}

func (t *trial) end(o rollout.Outcome) end {
	e := end{outcome: o, failed: t.failed, answers: t.answers, causes: t.causes}
	if !t.ended.IsZero() {
		e.after = t.ended.Sub(t.exposed)
	}
	return e
}
