package rollout

import (
	"testing"
	"time"
)

// removed is an uninstall that is nearly over: the target has the traffic, and the route names it.
func removed(phase Phase) Status {
	return Status{Phase: phase, Promoted: "old", Revision: "old", Weight: 100, Routed: true, Handed: true, Moved: noon, Session: "abc"}
}

func handedOver(o *Observation) {
	o.Route = RouteReport{Route: Route{Managed: true, Canary: 100, Handover: true}, Known: true, Settled: true}
}

func TestAnUninstallThatWasLeftIsFinishedByWhoComes(t *testing.T) {
	t.Parallel()
	away := steps
	away.Uninstall = true
	for name, c := range map[string]struct {
		spec    Spec
		phase   Phase
		outcome Outcome
		next    Phase
	}{
		"by another uninstall":                         {away, Terminating, Uninstalled, Terminated},
		"by a rollout, which then goes on":             {steps, Terminating, Running, Terminated},
		"by an uninstall when all but the end is done": {away, Terminated, Uninstalled, Terminated},
		"by a rollout, which then starts over":         {steps, Terminated, Running, ""},
	} {
		st, obs := removed(c.phase), seen(100, 0, handedOver)
		d := Decide(&c.spec, &st, &obs)
		if d.Outcome != c.outcome || d.Next.Phase != c.next {
			t.Errorf("%s: %v in phase %q, want %v in %q", name, d.Outcome, d.Next.Phase, c.outcome, c.next)
		}
		if remove := c.next == Terminated; d.Want.Remove != remove {
			t.Errorf("%s: what was made for the canary is removed: %v", name, d.Want.Remove)
		}
		if c.next == "" && (d.Next.Session != "abc" || d.Next.Promoted != "" || d.WakeAt.After(obs.Now)) {
			t.Errorf("%s: it goes on with %+v at %s", name, d.Next, d.WakeAt)
		}
	}
}

// A canary that is gone already, record and all, has no primary to take traffic from.
func TestAnUninstallOfWhatIsUninstalledWaitsForNothing(t *testing.T) {
	t.Parallel()
	away := steps
	away.Uninstall = true
	gone := func(o *Observation) { handedOver(o); o.Primary = Workload{} }
	st := Status{}
	for turn := range 3 {
		obs := seen(100, time.Duration(turn)*time.Second, gone)
		d := Decide(&away, &st, &obs)
		if st = d.Next; d.Outcome == Uninstalled {
			if !d.Want.Route.Handover || turn == 0 {
				t.Errorf("turn %d: it ends with %+v", turn, d.Want)
			}
			return
		}
		if d.Next.Phase != Terminating || !d.Want.Route.Handover {
			t.Errorf("turn %d: %+v, with the route %+v", turn, d.Next, d.Want.Route)
		}
	}
	t.Errorf("it has not ended: %+v", st)
}
