package rollout

import (
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The simulation is worth what it catches. Each mutant below is the rule list with one fault in it; the simulation must
// find a broken invariant in every one of them.
//
// Mutations of the source that were tried by hand as well, and what caught them. By the simulation: threshold compared
// with > instead of >= (users left on a canary that is not ready), Window not reset by advance, Window kept while the
// world is not converged (both: left before the world had been as it should for a whole window), NoData or Error taken
// for a pass (promotion although a check said so), RollingBack or Finalising that wants ScaleZero (scaled to zero while
// it had traffic), restart that keeps Step, halt without Weight 100 (halted with the traffic on a broken primary), Begin
// that treats a halted rollout as an ordinary failure, guard removed (traffic to a canary that is not ready, after a
// kill), a promotion that does not wait for the copy. By a table only: WakeAt left at the deadline after a move, and a
// rollback that moves the traffic to a primary that serves nothing, or an uninstall that does not wait for the target (in
// the simulation guard stands behind both).
func mutants() map[string][]rule {
	all := rules[:]
	drop := func(name string) []rule {
		i := index(name)
		return slices.Concat(all[:i], all[i+1:])
	}
	before := func(first, second string) []rule {
		list := drop(first)
		i := index(second)
		if index(first) < i {
			i--
		}
		return slices.Insert(slices.Clone(list), i, all[index(first)])
	}
	replace := func(name string, r rule) []rule {
		list := slices.Clone(all)
		list[index(name)] = r
		return list
	}
	return map[string][]rule{
		"nobody notices another run":                     drop("superseded"),
		"a terminal phase goes on":                       drop("finished"),
		"a first run is never seen":                      drop("unseen"),
		"the first primary is not waited for":            drop("initialising"),
		"finalising is left out":                         drop("finalising"),
		"a promotion is not seen through":                drop("promotionPending"),
		"a rollback is not seen through":                 drop("rollingBack"),
		"a new revision goes unnoticed":                  drop("newRevision"),
		"waits have no bound":                            drop("deadlineExceeded"),
		"convergence is not waited for":                  drop("notConverged"),
		"windows never open":                             drop("windowOpens"),
		"windows end at once":                            drop("windowOpen"),
		"unknown checks are passed over":                 drop("checksUnknown"),
		"nobody can pause":                               drop("paused"),
		"a window that passed ends a pause":              drop("stillPaused"),
		"a pause never ends":                             drop("pauseEnds"),
		"steps are left out":                             drop("advance"),
		"steps are taken before the checks are read":     before("advance", "checksFailed"),
		"steps are taken before unknown checks are seen": before("advance", "checksUnknown"),
		"steps are taken before the world has converged": before("advance", "notConverged"),
		"steps are taken before their window is over":    before("advance", "windowOpen"),
		"promotion before the steps are taken":           before("promote", "advance"),
		"promotion before the checks are read":           before("promote", "checksFailed"),
		"analysis goes on during a rollback":             before("advance", "rollingBack"),
		"a new revision interrupts a promotion":          before("newRevision", "promotionPending"),
		"a stop interrupts a promotion":                  before("stopRequested", "promotionPending"),
		"an uninstall removes the primary before the route is handed over": replace("uninstalling", func(in input) (Decision, bool) {
			d, ok := uninstalling(in)
			if ok && d.Next.Handed && !in.st.Handed {
				d.Next.Handed, d.Next.Phase, d.Outcome = false, Terminated, Uninstalled
			}
			return d, ok
		}),
		"a primary that exists is overwritten": replace("unseen", func(in input) (Decision, bool) {
			if in.st.Phase != "" {
				return Decision{}, false
			}
			rev := in.obs.Target.Revision
			return in.to(Status{Phase: Initializing, Revision: rev, Promoted: rev}, FirstRun, ""), true
		}),
		"a rollback ends before its traffic has moved": replace("rollingBack", func(in input) (Decision, bool) {
			if in.st.Phase != RollingBack {
				return Decision{}, false
			}
			return in.fail(*in.st, CheckFailed, "")
		}),
		"a promotion ends before the primary is ready": replace("promotionPending", func(in input) (Decision, bool) {
			if in.st.Phase != Promoting {
				return Decision{}, false
			}
			return in.finalise(*in.st, PrimaryReady)
		}),
		"a promotion ends before the router has settled": replace("finalising", func(in input) (Decision, bool) {
			if in.st.Phase != Finalising {
				return Decision{}, false
			}
			next := *in.st
			next.Phase = Succeeded
			d := in.to(next, AllPassed, "")
			d.Outcome = Promoted
			return d, true
		}),
		"revisions begin by themselves":                  drop("waiting"),
		"gates that open are not noticed":                drop("gateOpens"),
		"pre-rollout hooks are left out":                 drop("preRollout"),
		"no first look at the checks":                    drop("probed"),
		"rollout hooks are passed over":                  drop("hookFailed"),
		"gates are passed over":                          drop("gateClosed"),
		"gates are asked before the world has converged": before("gateOpens", "notConverged"),
		"gates are asked before a new revision is seen":  before("gateOpens", "newRevision"),
		"gates are passed before the checks are read":    before("gateClosed", "checksFailed"),
		"a gate is passed without an answer": replace("gateOpens", func(in input) (Decision, bool) {
			if in.st.Gate == "" {
				return Decision{}, false
			}
			return in.passGate(in.st.Gate)
		}),
		"a failure at a gate does not close it": replace("checksFailed", func(in input) (Decision, bool) {
			d, ok := checksFailed(in)
			if ok && d.Next.Phase != RollingBack {
				d.Next.Gate = in.st.Gate
			}
			return d, ok
		}),
		"failed checks are passed over": slices.DeleteFunc(replace("checksUnknown", func(in input) (Decision, bool) {
			return in.hold(ChecksPending, ""), in.st.Step > 0 && !in.step().Bare && !in.judged()
		}), func(r rule) bool { return isRule(r, checksFailed) }),
		"a lost canary costs nothing": replace("canaryLost", func(in input) (Decision, bool) {
			if in.st.Step == 0 || in.obs.Target.Ready {
				return Decision{}, false
			}
			d := in.hold(CanaryNotReady, "")
			d.Next.Moved, d.WakeAt = in.obs.Now, in.obs.Now.Add(time.Second)
			return d, true
		}),
	}
}

func isRule(a, b rule) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// index finds a rule by the name of its function.
func index(name string) int {
	return slices.IndexFunc(rules[:], func(r rule) bool {
		return strings.HasSuffix(runtime.FuncForPC(reflect.ValueOf(r).Pointer()).Name(), "."+name)
	})
}

func TestTheSimulationCatchesEveryMutant(t *testing.T) {
	t.Parallel()
	for name, list := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100_000) {
				if problems := newSim(seed, list).run(); len(problems) > 0 {
					t.Logf("seed %d: %s", seed, problems[0])
					return
				}
			}
			t.Error("not caught")
		})
	}
}
