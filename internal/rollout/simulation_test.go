package rollout

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// The simulation plays whole rollouts against a small model of a cluster: workloads that take time to become ready, or
// never do, or lose their readiness; a router that takes time to settle; checks that pass, fail, find nothing or cannot
// be asked; applies that are lost; processes that die before or after saving; pushes in mid-flight; runs that are
// cancelled or superseded. Everything follows from the seed.

const (
	simInterval = 10 * time.Second
	simDeadline = 60 * time.Second
)

type simRevision struct {
	canaryNever, primaryNever bool
	pass, noData, failing     int // shares of the verdicts in percent; the rest are errors
}

type simWorkload struct {
	exists   bool
	rev      string
	replicas int
	readyAt  time.Time
	downTill time.Time
	since    time.Time
	serving  bool // pods of the revision before are still there
}

type sim struct {
	rnd     *rand.Rand
	spec    Spec
	now     time.Time
	revs    map[string]*simRevision
	target  simWorkload
	primary simWorkload
	route   Route
	settle  time.Time
	stop    Stop
	deleted bool
	faults  int // how many more faults the world has in store
	hook    simAnswer
	gates   simAnswer
	open    HookAnswer // of the gate in the present observation
	pause   time.Time  // until then somebody wants the rollout to stay
	skipped string     // the revision whose remaining steps somebody wants to skip
	nextRev int

	rules    []rule
	saved    Status
	dead     time.Time       // since when the canary has had traffic without being ready
	stable   time.Time       // since when the world has been where the step wants it, as far as anybody looked
	passed   bool            // a whole window has passed since the step was taken, and nothing has failed after it
	started  string          // the revision that was allowed to begin
	analysed map[string]bool // revisions that may be on the primary
	problems []string
	trace    [25]simNote // the last ones
	noted    int
}

func newSim(seed uint64, list []rule) *sim {
	rnd := rand.New(rand.NewPCG(seed, 7))
	s := &sim{
		rnd: rnd, rules: list, now: time.Unix(1_700_000_000, 0), revs: map[string]*simRevision{},
		analysed: map[string]bool{}, faults: rnd.IntN(12),
	}
	s.spec = s.randomSpec()
	own := rand.New(rand.NewPCG(seed, 8)) // what was added later leaves the older draws as they were
	s.spec.SuspendAtGate, s.spec.SuspendAfter = own.IntN(3) == 0, time.Duration(own.IntN(4))*simInterval
	s.target = simWorkload{exists: true, rev: s.newRevision(), replicas: 1, readyAt: s.now}
	if rnd.IntN(4) > 0 { // most clusters have a primary already
		s.primary = simWorkload{exists: true, rev: s.newRevision(), replicas: 1, readyAt: s.now}
		s.analysed[s.primary.rev] = true
		s.revs[s.primary.rev].primaryNever = false
		s.saved = Status{Phase: Initialized, Promoted: s.primary.rev, Revision: s.primary.rev, Routed: true}
		s.route = Route{Managed: true}
		if rnd.IntN(5) == 0 {
			s.saved = Status{} // made by a controller, or its record was lost
		}
	} else {
		s.analysed[s.target.rev] = true // the first revision is not analysed
	}
	return s
}

// simAnswer is a webhook that takes its time.
type simAnswer struct {
	hook    canary.HookType
	about   time.Time
	at      time.Time
	verdict Verdict
}

func (s *sim) randomSpec() Spec {
	spec := Spec{
		Name: "c.n", Interval: simInterval, Deadline: simDeadline, Threshold: 1 + s.rnd.IntN(3), Checks: []string{"a", "b"},
		Settle:      time.Duration(max(0, s.rnd.IntN(8)-5)) * simInterval / 4,
		GateTimeout: 10 * simInterval, GateHold: s.chance(30), Group: s.chance(10), HoldOnFailure: s.chance(10), HoldOnCancel: s.chance(30),
		Affinity: s.chance(10), Revert: s.chance(30), OnNoData: Policy(max(0, s.rnd.IntN(8)-5)), Consecutive: max(0, s.rnd.IntN(6)-3),
	}
	for _, hook := range []canary.HookType{
		canary.HookConfirmRollout, canary.HookPreRollout, canary.HookRollout, canary.HookConfirmTrafficIncrease,
		canary.HookConfirmPromotion, canary.HookRollback,
	} {
		if s.chance(15) {
			spec.Hooks = append(spec.Hooks, hook)
		}
	}
	mirror := Weight(0)
	if s.chance(20) {
		mirror = 100
	}
	switch s.rnd.IntN(6) {
	case 0:
		for range 1 + s.rnd.IntN(4) {
			spec.Steps = append(spec.Steps, Step{Mirror: mirror})
		}
		spec.Steps = append(spec.Steps, Step{Weight: 100, Bare: true})
	case 1:
		spec.Steps = []Step{{Weight: 50}}
		spec.Checks = nil
	case 2:
		for range 1 + s.rnd.IntN(4) {
			spec.Steps = append(spec.Steps, Step{Match: true})
		}
	default:
		if mirror > 0 {
			spec.Steps = append(spec.Steps, Step{Mirror: mirror})
		}
		by := Weight(5 + s.rnd.IntN(46))
		for w := by; w <= 100; w += by {
			spec.Steps = append(spec.Steps, Step{Weight: w})
		}
	}
	spec.Skip = s.rnd.IntN(20) == 0
	spec.Promotion = promotion(spec.Steps, Weight(s.rnd.IntN(3)*20))
	return spec
}

func (s *sim) newRevision() string {
	s.nextRev++
	rev := fmt.Sprintf("r%d", s.nextRev)
	r := &simRevision{canaryNever: s.rnd.IntN(8) == 0, primaryNever: s.rnd.IntN(8) == 0, pass: 100}
	switch s.rnd.IntN(4) {
	case 0:
		r.pass, r.failing = 50, 30
	case 1:
		r.pass, r.noData, r.failing = 90, 5, 3
	}
	s.revs[rev] = r
	return rev
}

func (s *sim) chance(percent int) bool { return s.rnd.IntN(100) < percent }

func (s *sim) fault(percent int) bool {
	if s.faults > 0 && s.chance(percent) {
		s.faults--
		return true
	}
	return false
}

func (s *sim) delay(limit time.Duration) time.Time {
	return s.now.Add(time.Duration(s.rnd.Int64N(int64(limit))))
}

func (s *sim) workload(w *simWorkload, never bool) Workload {
	up := w.exists && w.replicas > 0
	ready := up && !never && !s.now.Before(w.readyAt) && !s.now.Before(w.downTill)
	return Workload{
		Exists: w.exists, Revision: w.rev, Replicas: w.replicas, Ready: ready, Serving: ready || (up && w.serving),
		Broken:  up && never && s.now.Sub(w.since) >= simDeadline/2,
		Message: "not ready",
	}
}

func (s *sim) targetNow() Workload { return s.workload(&s.target, s.revs[s.target.rev].canaryNever) }

func (s *sim) primaryNow() Workload {
	if !s.primary.exists {
		return Workload{}
	}
	return s.workload(&s.primary, s.revs[s.primary.rev].primaryNever)
}

func (s *sim) observe(st *Status) Observation {
	asks := Ask(&s.spec, st)
	o := Observation{Now: s.now, Stop: s.stop, Deleted: s.deleted, Target: s.targetNow(), Primary: s.primaryNow()}
	o.Route = RouteReport{Route: s.route, Known: s.route.Managed, Settled: !s.now.Before(s.settle)}
	o.Hook = s.answer(&s.hook, asks.Hook, asks.For, simInterval*3/2)
	o.Gate = s.answer(&s.gates, asks.Gate, asks.Since, 15*simInterval)
	if o.Gate.Skip = o.Gate.Verdict == Pass && asks.Gate != GroupGate && s.chance(10); o.Gate.Skip {
		s.skipped = st.Revision
	}
	s.open = o.Gate
	if asks.Rollback && s.now.Before(s.pause) {
		o.Paused = "somebody"
	}
	if asks.Rollback && s.fault(1) {
		o.Stop = StopRollback
	}
	if asks.Checks && !s.now.Before(asks.Due) {
		o.Window, o.Probe = asks.Window, asks.Probe
		for _, name := range s.spec.Checks {
			o.Checks = append(o.Checks, CheckResult{Name: name, Verdict: s.verdict(), Message: name})
		}
	}
	return o
}

// answer is what a webhook says by now: nothing, no, or in the end yes. The hooks of a window may end with a no.
func (s *sim) answer(a *simAnswer, hook canary.HookType, about time.Time, within time.Duration) HookAnswer {
	if hook == "" {
		*a = simAnswer{}
		return HookAnswer{}
	}
	if a.hook != hook || !a.about.Equal(about) {
		*a = simAnswer{hook: hook, about: about, at: s.delay(within), verdict: Pass}
		if hook == canary.HookRollout || hook == canary.HookPreRollout {
			a.verdict = []Verdict{Pass, Pass, Pass, Fail, Error}[s.rnd.IntN(5)]
		}
	}
	answer := HookAnswer{Hook: hook, For: about, Verdict: a.verdict, Message: string(hook)}
	if s.now.Before(a.at) {
		answer.Verdict = Unknown
		if hook != canary.HookRollout && hook != canary.HookPreRollout && s.chance(80) {
			answer.Verdict = Fail // a closed gate
		}
	}
	return answer
}

func (s *sim) verdict() Verdict {
	r, n := s.revs[s.target.rev], s.rnd.IntN(100)
	switch {
	case n < r.pass:
		return Pass
	case n < r.pass+r.noData:
		return NoData
	case n < r.pass+r.noData+r.failing:
		return Fail
	}
	return Error
}

// disturb lets the world change by itself.
func (s *sim) disturb() {
	switch {
	case s.fault(2):
		s.push(s.newRevision())
	case s.primary.exists && s.fault(1):
		s.push(s.primary.rev)
	case s.fault(3):
		s.target.downTill = s.delay(2 * simInterval)
	case s.fault(2):
		s.primary.downTill = s.delay(2 * simInterval)
		s.primary.serving = s.chance(50)
	case s.fault(3):
		s.pause = s.delay(12 * simInterval)
	case s.spec.Revert && s.chance(20) && s.fault(1):
		s.deleted = true
	case s.fault(1):
		s.stop = Stop(1 + s.rnd.IntN(2))
	case s.fault(1):
		s.revs[s.target.rev].canaryNever = true // it breaks for good, with users on it
		s.target.since = s.delay(4 * simDeadline)
	case s.fault(1) && s.primary.exists:
		s.revs[s.primary.rev].primaryNever = true
		s.primary.since = s.now
		s.primary.serving = s.chance(50)
	}
}

func (s *sim) push(rev string) {
	s.target.rev, s.target.since = rev, s.now
	s.target.readyAt, s.target.serving = s.delay(simInterval), s.target.replicas > 0
}

// apply does what the engine does, and loses some of it while there are faults left. It reports whether all was done.
func (s *sim) apply(w World, o *Observation) bool {
	before := s.faults
	if !w.Touch {
		return true
	}
	if w.Primary != "" && s.primary.rev != w.Primary && s.target.rev == w.Primary && !s.fault(10) {
		was := s.primaryNow()
		s.primary = simWorkload{
			exists: true, rev: w.Primary, replicas: 1, readyAt: s.delay(simInterval), since: s.now,
			serving: was.Serving && s.chance(80),
		}
		if !s.analysed[w.Primary] {
			s.problem("the primary got %s, which did not pass", w.Primary)
		}
	}
	if w.Route.Managed && w.Route != s.route && !s.fault(10) {
		s.checkRoute(w.Route, o)
		if !sameShares(s.route, w.Route) { // a cookie moves nobody
			s.settle = s.delay(simInterval / 2)
		}
		s.route = w.Route
	}
	if s.fault(10) {
		return false
	}
	if w.Remove && s.primary.exists {
		if !s.route.Handover || s.route.Canary != 100 || s.now.Before(s.settle) {
			s.problem("the primary was removed while the route needed it: %+v", s.route)
		}
		s.primary.exists = false
	}
	switch {
	case w.Canary == ScaleUp && s.target.replicas == 0:
		s.target.replicas, s.target.readyAt, s.target.since = 1, s.delay(simInterval), s.now
		s.target.serving = false
	case w.Canary == ScaleZero && s.target.replicas > 0:
		if s.route.Canary > 0 || s.route.Match || s.route.Mirror > 0 || s.now.Before(s.settle) {
			s.problem("the canary was scaled to zero while it had traffic: %+v", s.route)
		}
		if !o.Primary.Serving && s.target.rev != s.primary.rev && o.Target.Ready && s.saved.Phase != Failed {
			s.problem("the canary was scaled to zero while the primary served nothing")
		}
		s.target.replicas = 0
	}
	return s.faults == before
}

func (s *sim) checkRoute(to Route, o *Observation) {
	if to.Canary < 0 || to.Canary > 100 {
		s.problem("weights do not add up to 100: canary %d", to.Canary)
	}
	if s.route.Managed && (to.Canary > s.route.Canary || to.Match && !s.route.Match) && !o.Target.Ready {
		s.problem("traffic to a canary that is not ready: %d -> %d", s.route.Canary, to.Canary)
	}
	if to.Canary < s.route.Canary && !o.Primary.Serving {
		s.problem("traffic to a primary that does not serve: canary %d -> %d", s.route.Canary, to.Canary)
	}
	if !s.route.Managed && !o.Primary.Serving {
		s.problem("the first route went to a primary that does not serve")
	}
}

func (s *sim) problem(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}
