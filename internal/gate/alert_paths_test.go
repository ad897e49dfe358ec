package gate_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// path is one decision by which a rollout goes wrong, and the alert that is due for it.
type path struct {
	spec     func(*rollout.Spec)
	st       func(*rollout.Status)
	obs      func(*rollout.Observation)
	severity canary.Severity
	want     string
}

// paths are taken from a rollout at its first step of two, whose canary and primary are well, at the end of its window.
func failurePaths() map[string]path {
	late := func(o *rollout.Observation) { o.Now = o.Now.Add(time.Hour) }
	failed := func(o *rollout.Observation) {
		o.Window, o.Checks = noon, []rollout.CheckResult{{Name: "rate", Verdict: rollout.Fail, Message: "rate 90 is below 99"}}
	}
	first := func(st *rollout.Status) {
		*st = rollout.Status{Phase: rollout.Initializing, Revision: "one", Promoted: "one", Moved: noon, Since: noon}
	}
	primary := func(message string, broken bool) func(o *rollout.Observation) {
		return func(o *rollout.Observation) {
			late(o)
			o.Target.Revision = "one"
			o.Primary = rollout.Workload{Exists: true, Revision: "one", Broken: broken, Message: message}
		}
	}
	unready := func(o *rollout.Observation) {
		late(o)
		o.Target.Ready, o.Target.Message = false, "pod x: ImagePullBackOff"
	}
	waits := func(st *rollout.Status) {
		st.Phase, st.Step, st.Weight, st.Gate, st.GateSince = rollout.WaitingPromotion, 2, 50, canary.HookConfirmPromotion, noon
	}
	closed := func(o *rollout.Observation) {
		late(o)
		o.Route.Canary = 50
		o.Window, o.Checks = noon, []rollout.CheckResult{{Name: "rate", Verdict: rollout.Pass}}
		o.Gate = rollout.HookAnswer{Hook: canary.HookConfirmPromotion, For: noon, Verdict: rollout.Fail, Message: "no"}
	}
	gated := []canary.HookType{canary.HookConfirmPromotion}
	before := func(st *rollout.Status) { st.Step, st.Weight, st.Probed, st.Hooked = 0, 0, false, false }
	back := func(st *rollout.Status) { st.Phase, st.Weight, st.Step = rollout.RollingBack, 0, 0 }
	promoting := func(st *rollout.Status) { st.Phase, st.Promoted, st.Step, st.Weight = rollout.Promoting, "two", 2, 50 }
	return map[string]path{
		"the primary of the first run is not ready in time": {st: first, obs: primary("pod x is pending", false), severity: canary.SeverityError, want: "Initialization failed."},
		"the primary of the first run cannot become ready":  {st: first, obs: primary("pod x: CrashLoopBackOff", true), severity: canary.SeverityError, want: "Initialization failed."},
		"the canary is not ready by the progress deadline":  {st: before, obs: func(o *rollout.Observation) { unready(o); o.Route.Canary = 0 }, severity: canary.SeverityError, want: "Rolling back."},
		"a canary with traffic is not ready any more":       {obs: unready, severity: canary.SeverityError, want: "Rolling back."},
		"a pre-rollout hook fails": {
			spec: func(s *rollout.Spec) { s.Hooks = []canary.HookType{canary.HookPreRollout} }, st: before,
			obs: func(o *rollout.Observation) {
				o.Route.Canary = 0
				o.Hook = rollout.HookAnswer{Hook: canary.HookPreRollout, For: noon, Verdict: rollout.Fail, Message: "smoke test failed"}
			}, severity: canary.SeverityError, want: "Rolling back.",
		},
		"a rollout hook fails": {
			spec: func(s *rollout.Spec) { s.Hooks = []canary.HookType{canary.HookRollout} },
			obs: func(o *rollout.Observation) {
				o.Hook = rollout.HookAnswer{Hook: canary.HookRollout, For: noon, Verdict: rollout.Fail, Message: "load test failed"}
			}, severity: canary.SeverityError, want: "Rolling back.",
		},
		"a check cannot be made": {
			st: before, obs: func(o *rollout.Observation) { failed(o); o.Route.Canary, o.Probe = 0, true }, severity: canary.SeverityError, want: "Rolling back.",
		},
		"a check fails": {obs: failed, severity: canary.SeverityError, want: "Rolling back."},
		"a check fails, and the traffic stays": {
			spec: func(s *rollout.Spec) { s.HoldOnFailure = true }, obs: failed, severity: canary.SeverityError, want: "The rollout is halted",
		},
		"a gate stays closed": {spec: func(s *rollout.Spec) { s.Hooks = gated }, st: waits, obs: closed, severity: canary.SeverityError, want: "Rolling back."},
		"a gate stays closed, and the rollout waits on": {
			spec: func(s *rollout.Spec) { s.Hooks, s.GateHold = gated, true }, st: waits, obs: closed, severity: canary.SeverityWarn, want: "Nobody let the rollout go on in time.",
		},
		"the job is cancelled": {obs: func(o *rollout.Observation) { o.Stop = rollout.StopCancel }, severity: canary.SeverityWarn, want: "Rolling back, as was asked for."},
		"the job is cancelled, and the traffic stays": {
			spec: func(s *rollout.Spec) { s.HoldOnCancel = true },
			obs:  func(o *rollout.Observation) { o.Stop = rollout.StopCancel }, severity: canary.SeverityWarn, want: "The job was cancelled.",
		},
		"somebody asks for a rollback": {obs: func(o *rollout.Observation) { o.Stop = rollout.StopRollback }, severity: canary.SeverityWarn, want: "Rolling back, as was asked for."},
		"the revision is withdrawn":    {obs: func(o *rollout.Observation) { o.Target.Revision = "one" }, severity: canary.SeverityError, want: "Rolling back."},
		"the primary breaks during the promotion": {
			st: promoting,
			obs: func(o *rollout.Observation) {
				late(o)
				o.Primary = rollout.Workload{Exists: true, Revision: "two", Broken: true, Message: "pod x: CrashLoopBackOff"}
			}, severity: canary.SeverityError, want: "Promotion failed, the rollout is halted.",
		},
		"the way back cannot be finished": {
			st: back, obs: func(o *rollout.Observation) { late(o); o.Primary.Serving = false }, severity: canary.SeverityError, want: "Rollback failed, the rollout is halted.",
		},
		"another run takes over": {obs: func(o *rollout.Observation) { o.Superseded = true }, severity: canary.SeverityWarn, want: "Another run has taken over."},
	}
}

func TestEveryWayToFailHasItsAlert(t *testing.T) {
	t.Parallel()
	for name, p := range failurePaths() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := rollout.Spec{
				Steps: []rollout.Step{{Weight: 20}, {Weight: 50}}, Interval: 10 * time.Second, Threshold: 1, Deadline: 10 * time.Minute,
				Checks: []string{"rate"}, GateTimeout: 30 * time.Minute,
			}
			st := rollout.Status{
				Phase: rollout.Progressing, Revision: "two", Promoted: "one", Routed: true, Probed: true, Hooked: true,
				Step: 1, Weight: 20, Window: noon, Moved: noon, Since: noon,
			}
			obs := rollout.Observation{
				Now:     noon.Add(10 * time.Second),
				Target:  rollout.Workload{Exists: true, Revision: "two", Ready: true, Serving: true},
				Primary: rollout.Workload{Exists: true, Revision: "one", Ready: true, Serving: true},
				Route:   rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true, Canary: 20}},
			}
			if p.spec != nil {
				p.spec(&spec)
			}
			if p.st != nil {
				p.st(&st)
			}
			p.obs(&obs)
			r := receive(t, nil)
			a, failed := alerts(t, r, nil)
			a.Report(t.Context(), runner.Update{Snapshot: report.Snapshot{Spec: spec, Status: st}})
			known := len(r.requests()) // it may have told that the gate is closed
			d := rollout.Decide(&spec, &st, &obs)
			a.Report(t.Context(), runner.Update{Events: d.Events, Snapshot: report.Snapshot{
				Spec: spec, Status: d.Next, Reason: d.Reason.String(), Outcome: d.Outcome,
			}})
			got := r.requests()[known:]
			if len(got) != 1 || !strings.Contains(got[0].Body, p.want) || !strings.Contains(got[0].Body, colour(p.severity)) || len(*failed) > 0 {
				t.Errorf("decided %s (%s): got %v, want %q as %s; not taken: %q", d.Next.Phase, d.Reason, got, p.want, p.severity, *failed)
			}
		})
	}
}

// colour is that of a severity in Slack.
func colour(s canary.Severity) string {
	return map[canary.Severity]string{canary.SeverityError: "#d92d20", canary.SeverityWarn: "#f2a100"}[s]
}

func TestARunThatCouldNotFinishAlerts(t *testing.T) {
	t.Parallel()
	for name, updates := range map[string][]runner.Update{"after some decisions": life()[:3], "before the first decision": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, nil)
			a, failed := alerts(t, r, nil)
			for _, u := range updates {
				a.Report(t.Context(), u)
			}
			a.Unfinished(t.Context(), errors.New("the lease ran out, since the cluster could not be reached in time\n::error::x"))
			all := r.requests()
			if len(*failed) > 0 || len(all) == 0 {
				t.Fatalf("got %d alerts, not taken: %q", len(all), *failed)
			}
			last := all[len(all)-1].Body
			for _, want := range []string{"The run could not finish.", "the lease ran out", "podinfo.shop", "https://ci.example.com/7", colour(canary.SeverityError)} {
				if !strings.Contains(last, want) {
					t.Errorf("the alert lacks %q: %s", want, last)
				}
			}
		})
	}
}
