package gate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// alert is what Flagger would say at this moment, with the reason, which Flagger leaves out. Every way in which a rollout
// can go wrong has one; Flagger says nothing of some, such as a primary that never became ready.
func (a *Alerts) alert(u *runner.Update) (notify.Alert, bool) {
	s, was := &u.Snapshot, &a.last.Status
	say := func(severity canary.Severity, title string) (notify.Alert, bool) {
		return a.say(s, notify.Alert{Severity: severity, Title: title, Text: report.Clean(s.Reason)}), true
	}
	switch {
	case s.Outcome != rollout.Running && s.Outcome != rollout.RolledBack:
		if severity, title := a.ended(s); title != "" {
			return say(severity, title)
		}
	case s.Outcome == rollout.RolledBack && was.Phase != rollout.RollingBack && !s.Status.Routed:
		return say(canary.SeverityError, "Initialization failed.")
	case s.Outcome == rollout.RolledBack && was.Phase != rollout.RollingBack:
		return say(canary.SeverityError, "Canary failed.")
	case s.Status.Phase == rollout.RollingBack && was.Phase != rollout.RollingBack && s.Status.Reason.Code == rollout.StopAsked:
		return say(canary.SeverityWarn, "Rolling back, as was asked for.")
	case s.Status.Phase == rollout.RollingBack && was.Phase != rollout.RollingBack:
		return say(canary.SeverityError, "Rolling back.")
	}
	switch {
	case closedGate(&s.Status) != "" && s.Status.Gate != closedGate(was) && !a.muted(s.Status.Gate):
		return say(canary.SeverityWarn, waitsFor(s.Status.Gate))
	case begins(u.Events):
		return say(canary.SeverityInfo, "New revision detected, progressing canary analysis.")
	}
	return notify.Alert{}, false
}

// ended is what is said of the end of a run, but for a rollback, which was told of when it began. No title is no alert.
func (a *Alerts) ended(s *report.Snapshot) (canary.Severity, string) {
	switch s.Outcome {
	case rollout.Promoted:
		if s.Spec.Skip {
			return canary.SeverityInfo, "Canary analysis was skipped, promotion finished."
		}
		return canary.SeverityInfo, "Canary analysis completed successfully, promotion finished."
	case rollout.Initialised:
		return canary.SeverityInfo, "New " + a.Canary.Spec.TargetRef.Kind + " detected, initialization completed."
	case rollout.Halted:
		return canary.SeverityError, halted(a.last.Status.Phase)
	case rollout.Cancelled:
		return canary.SeverityWarn, "The job was cancelled."
	case rollout.Superseded:
		return canary.SeverityWarn, "Another run has taken over."
	case rollout.Gated:
		return canary.SeverityWarn, "Nobody let the rollout go on in time. It stays where it is, until the next run."
	case rollout.Running, rollout.RolledBack, rollout.Unchanged, rollout.Suspended, rollout.Uninstalled:
	}
	return "", ""
}

// halted says what could not be done, by the phase in which that was.
func halted(phase rollout.Phase) string {
	switch phase {
	case rollout.Promoting, rollout.Finalising:
		return "Promotion failed, the rollout is halted."
	case rollout.RollingBack:
		return "Rollback failed, the rollout is halted."
	case "", rollout.Initializing, rollout.Initialized, rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion,
		rollout.Succeeded, rollout.Failed, rollout.Terminating, rollout.Terminated:
	}
	return "The rollout is halted, with the traffic where it is."
}

// unfinished is the alert of a run that ended with an error.
func (a *Alerts) unfinished(why error) notify.Alert {
	s := a.last
	s.Namespace, s.Canary = a.Canary.Namespace, a.Canary.Name // there may have been no update
	s.Outcome = rollout.Running
	return a.say(&s, notify.Alert{Severity: canary.SeverityError, Title: "The run could not finish.", Text: report.Clean(why.Error())})
}

// begins reports whether the analysis of a new revision has begun.
func begins(events []rollout.Event) bool {
	for _, e := range events {
		if strings.HasPrefix(e.Message, "New revision detected!") {
			return true
		}
	}
	return false
}

// closedGate is the gate that has said no, or none: one that opens as soon as it is asked calls nobody. What a group waits
// for is no approval.
func closedGate(st *rollout.Status) canary.HookType {
	if !st.Held || st.Gate == rollout.GroupGate {
		return ""
	}
	return st.Gate
}

func waitsFor(gate canary.HookType) string {
	switch gate {
	case canary.HookConfirmTrafficIncrease:
		return "Canary traffic increase is waiting for approval."
	case canary.HookConfirmPromotion:
		return "Canary promotion is waiting for approval."
	}
	return "Canary is waiting for approval."
}

// muted reports whether the webhook of a gate wants no alert.
func (a *Alerts) muted(gate canary.HookType) bool {
	for i := range a.Canary.Spec.Analysis.Webhooks {
		if w := &a.Canary.Spec.Analysis.Webhooks[i]; w.EffectiveType() == gate && w.MuteAlert {
			return true
		}
	}
	return false
}

// say adds what the alert is about: Flagger's fields, and what there is to open.
func (a *Alerts) say(s *report.Snapshot, alert notify.Alert) notify.Alert {
	alert.Namespace, alert.Canary, alert.Phase, alert.Thread = s.Namespace, s.Canary, string(s.Status.Phase), s.Status.Revision
	alert.Target = a.Canary.Spec.TargetRef.Kind + "/" + a.Canary.Spec.TargetRef.Name
	add := func(name, value string) {
		if value != "" {
			alert.Fields = append(alert.Fields, notify.Field{Name: name, Value: value})
		}
	}
	add("Image", s.Image)
	if s.Status.Step > 0 {
		add("Traffic routing", fmt.Sprintf("%d %% at step %d of %d", s.Status.Weight, s.Status.Step, len(s.Spec.Steps)))
	}
	if s.Status.Failed > 0 {
		add("Failed checks", strconv.Itoa(s.Status.Failed)+" of "+strconv.Itoa(s.Spec.Threshold))
	}
	if a.Links != nil {
		alert.Links = a.Links(s.Outcome != rollout.Running)
	}
	return alert
}
