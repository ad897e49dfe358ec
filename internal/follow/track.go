package follow

import (
	"maps"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// track is what is remembered of a rollout between two looks. It does no I/O.
type track struct {
	images    map[string]string // that were asked for
	limits    limits
	suspended bool // before anything was done

	started  bool              // the images are set
	patched  bool              // the target had others before
	first    bool              // no rollout was ever finished: Flagger makes the primary
	before   canary.Status     // as it was before the images were set
	pinned   map[string]string // what the target runs since, by container
	revision string            // of the target since
	same     bool              // the primary ran the same already

	begun bool          // Flagger is at our revision
	moved time.Time     // when the status last moved
	last  canary.Status // as last seen
	looks int           // times that Flagger wrote its status without taking our revision up
	cause string        // what its last warning said
}

// verdict is what a look at the cluster means.
type verdict struct {
	outcome rollout.Outcome
	reason  rollout.Reason
	wakeAt  time.Time // when the wait for Flagger ends
	err     error     // why the end will not be seen
}

// mayStart reports whether it is time to set the images. While Flagger makes the primary from something else, they have
// to wait: it would take the revision for promoted that the primary does not run.
func (t *track) mayStart(seen *kube.Driven) bool {
	if t.started || t.suspended || seen.Canary == nil || seen.Canary.Spec.Suspend || !seen.Target.Exists {
		return false
	}
	switch rollout.Phase(seen.Canary.Status.Phase) {
	case "", rollout.Initializing:
		return !seen.Primary.Exists || len(t.images) == 0 || has(seen.PrimaryImages, t.images)
	case rollout.Terminating, rollout.Terminated:
		return false
	case rollout.Initialized, rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting,
		rollout.Finalising, rollout.RollingBack, rollout.Succeeded, rollout.Failed:
	}
	return true
}

// baseline remembers the status before the images are set. After a try whose answer was lost, the first one counts.
func (t *track) baseline(s canary.Status) {
	if !t.patched {
		t.before = s
	}
}

// begin pins what the target runs now that the images are set.
func (t *track) begin(seen *kube.Driven, now time.Time) {
	t.started, t.moved = true, now
	t.pinned, t.revision = maps.Clone(seen.TargetImages), seen.Target.Revision
	if t.images != nil {
		maps.Copy(t.pinned, t.images) // somebody else may have been faster
	}
	t.same = has(seen.PrimaryImages, t.pinned) && seen.Primary.Revision == t.revision
	switch rollout.Phase(t.before.Phase) {
	case "", rollout.Initializing:
		t.first = true
	case rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting, rollout.Finalising:
		t.begun = !t.patched // an earlier run's rollout of the same images
	case rollout.Initialized, rollout.RollingBack, rollout.Succeeded, rollout.Failed, rollout.Terminating, rollout.Terminated:
	}
}

// move takes note of what Flagger has done since the last look.
func (t *track) move(seen *kube.Driven, now time.Time) {
	s := &seen.Canary.Status
	if t.started && !t.begun && !t.first && s.LastAppliedSpec != t.before.LastAppliedSpec {
		t.begun, t.cause, t.moved = true, "", now
	}
	for _, e := range seen.Events {
		if e.Warning && !strings.HasPrefix(e.Message, "Rolling back ") && !strings.HasPrefix(e.Message, "Canary failed!") {
			t.cause = e.Message
		}
	}
	l := &t.last
	if l.Phase != s.Phase || l.CanaryWeight != s.CanaryWeight || l.Iterations != s.Iterations || l.FailedChecks != s.FailedChecks ||
		l.LastAppliedSpec != s.LastAppliedSpec {
		if l.Phase != "" || s.Phase != "" {
			t.moved = now
		}
	} else if t.started && !l.LastTransitionTime.Equal(&s.LastTransitionTime) {
		t.looks++
	}
	t.last = *s
}

// judge says what the cluster shows about our revision.
func (t *track) judge(seen *kube.Driven, now time.Time) verdict {
	if seen.Canary == nil {
		return failed("the Canary was deleted while its rollout was followed")
	}
	t.move(seen, now)
	phase := rollout.Phase(seen.Canary.Status.Phase)
	switch {
	case seen.Canary.Spec.Suspend:
		return verdict{outcome: rollout.Suspended, reason: rollout.Reason{Code: rollout.SpecSuspend}}
	case !seen.Target.Exists:
		return failed("the target does not exist")
	case phase == rollout.Terminating || phase == rollout.Terminated:
		return failed("Flagger takes the canary away (phase %s)", phase)
	case !t.started:
		return t.hold(now, phase, rollout.Reason{Code: rollout.FirstRun, Detail: "the image is set when Flagger has made the primary from what the target runs"})
	case seen.Target.Revision != t.revision || !has(seen.TargetImages, t.pinned):
		return verdict{outcome: rollout.Superseded, reason: rollout.Reason{
			Code: rollout.OtherRun, Detail: "somebody else has changed the target, which now runs " + list(seen.TargetImages),
		}}
	case t.begun:
		return t.ours(seen, now)
	case t.first:
		return t.initial(seen, now)
	}
	return t.pending(seen, now)
}

// ours judges a rollout of our revision.
func (t *track) ours(seen *kube.Driven, now time.Time) verdict {
	s := &seen.Canary.Status
	phase := rollout.Phase(s.Phase)
	switch phase {
	case rollout.Succeeded, rollout.Initialized:
		if s.LastPromotedSpec != s.LastAppliedSpec || !has(seen.PrimaryImages, t.pinned) {
			return t.unlike(seen, now)
		}
		return verdict{outcome: rollout.Promoted, reason: rollout.Reason{Code: rollout.AllPassed}}
	case rollout.Failed:
		// 1.44 sends the traffic to the canary when the primary breaks during the promotion, and shows it by the weight.
		if s.CanaryWeight > 0 || strings.HasPrefix(t.cause, "Promotion of ") {
			return verdict{outcome: rollout.Halted, reason: rollout.Reason{
				Code: rollout.PrimaryBroken, Detail: "Flagger has left the traffic on the canary" + t.because(),
			}}
		}
		return verdict{outcome: rollout.RolledBack, reason: rollout.Reason{
			Code: rollout.CheckFailed, Detail: "Flagger has rolled the revision back" + t.because(),
		}}
	case "", rollout.Initializing, rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting,
		rollout.Finalising, rollout.RollingBack, rollout.Terminating, rollout.Terminated:
	}
	return t.hold(now, phase, rollout.Reason{Code: codes[phase], Detail: t.cause})
}

var codes = map[rollout.Phase]rollout.Code{
	rollout.Waiting: rollout.GateClosed, rollout.WaitingPromotion: rollout.GateClosed, rollout.Progressing: rollout.WindowOpen,
	rollout.Promoting: rollout.StepsTaken, rollout.Finalising: rollout.PrimaryReady, rollout.Initializing: rollout.FirstRun,
}

// initial judges the first rollout of all, which makes the primary and analyses nothing.
func (t *track) initial(seen *kube.Driven, now time.Time) verdict {
	phase := rollout.Phase(seen.Canary.Status.Phase)
	switch phase {
	case "", rollout.Initializing:
		return t.hold(now, phase, rollout.Reason{Code: rollout.FirstRun, Detail: t.cause})
	case rollout.Initialized:
		if has(seen.PrimaryImages, t.pinned) {
			return verdict{outcome: rollout.Initialised, reason: rollout.Reason{Code: rollout.FirstRunDone}}
		}
		return t.unlike(seen, now)
	case rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting, rollout.Finalising,
		rollout.RollingBack, rollout.Succeeded, rollout.Failed, rollout.Terminating, rollout.Terminated:
	}
	t.begun = true
	return t.ours(seen, now)
}

// pending judges a status that is still the last rollout's.
func (t *track) pending(seen *kube.Driven, now time.Time) verdict {
	s := &seen.Canary.Status
	phase := rollout.Phase(s.Phase)
	over := phase == rollout.Succeeded || phase == rollout.Initialized || phase == rollout.Failed
	if !over { // the last rollout is still on its way
		return t.hold(now, phase, rollout.Reason{Code: rollout.NewRevision, Detail: "waiting for Flagger to leave the one before"})
	}
	unchanged := verdict{outcome: rollout.Unchanged, reason: rollout.Reason{Code: rollout.NothingNew}}
	if t.same {
		return unchanged
	}
	late := !now.Before(t.moved.Add(t.limits.act))
	switch {
	case phase == rollout.Failed && (t.looks > 1 || late && (!t.patched || t.looks > 0)):
		return verdict{outcome: rollout.RolledBack, reason: rollout.Reason{
			Code: rollout.CheckFailed, Detail: "Flagger has rejected this revision already and will not retry it",
		}}
	case late && has(seen.PrimaryImages, t.pinned) && s.LastAppliedSpec == s.LastPromotedSpec:
		return unchanged // what differs is not what Flagger looks at, such as the names of tracked configs
	case late && phase == rollout.Failed:
		return failed("Flagger has not taken the revision up within %s: either it has rejected the same one before and does "+
			"not retry it, or no Flagger controller acts on this canary", t.limits.act)
	case late:
		return failed("no Flagger controller seems to act on this canary: its status (phase %s) has not moved within %s",
			phase, t.limits.act)
	}
	return verdict{
		reason: rollout.Reason{Code: rollout.NewRevision, Detail: "waiting for Flagger to see it"}, wakeAt: t.moved.Add(t.limits.act),
	}
}
