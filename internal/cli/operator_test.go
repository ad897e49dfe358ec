package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAnOperatorIsHeardWhereSomebodyWillAct(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	waits := &approval.Notice{Gate: approval.Gate{OpenedAt: now.Add(-time.Hour)}}
	suspended := rollout.Status{Phase: rollout.WaitingPromotion, Suspended: now.Add(-time.Hour), Until: now.Add(time.Second)}
	forever := rollout.Status{Phase: rollout.WaitingPromotion, Suspended: now.Add(-time.Hour)}
	over := rollout.Status{Phase: rollout.WaitingPromotion, Suspended: now.Add(-time.Hour), Until: now}
	for name, c := range map[string]struct {
		status rollout.Status
		run    report.Attendance
		notice *approval.Notice
		verb   approval.Verb
		want   string // empty: heard
	}{
		"a run at its gate":           {rollout.Status{Phase: rollout.WaitingPromotion}, report.Attended, waits, approval.Approve, ""},
		"nobody at work":              {rollout.Status{Phase: rollout.WaitingPromotion}, report.Unattended, waits, approval.Abort, "no run is at work"},
		"suspended":                   {suspended, report.Unattended, waits, approval.Approve, ""},
		"suspended, and rejected":     {suspended, report.Unattended, waits, approval.Reject, ""},
		"suspended without an end":    {forever, report.Unattended, waits, approval.Approve, ""},
		"suspended for too long":      {over, report.Unattended, waits, approval.Approve, "it was suspended until 2030-01-02T03:04:05Z, and is rolled back now"},
		"suspended without approvals": {suspended, report.Unattended, nil, approval.Approve, "its run listens to nobody"},
		"suspended at another gate":   {suspended, report.Unattended, &approval.Notice{}, approval.Approve, "no gate is waiting"},
	} {
		s := &report.Standing{Namespace: "shop", Canary: "podinfo", Run: c.run, Notice: c.notice, Record: rollout.Record{ID: "one", Epoch: 1, Status: c.status}}
		err := hears(s, c.verb, now)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
