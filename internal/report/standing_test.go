package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func standing() report.Standing {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	value := 99.6
	s := report.Standing{
		Canary: "podinfo", Namespace: "shop", Holder: "r-7a", HeldUntil: noon.Add(9 * time.Second),
		Record: rollout.Record{
			Target: "Deployment podinfo", Image: "ghcr.io/acme/podinfo:6.0.1", RunURL: "https://ci.example/runs/7", Commit: "0123456789abcdef0123456789abcdef01234567",
			Started: ago(3 * time.Minute), Updated: ago(20 * time.Second),
			Status: rollout.Status{
				Phase: rollout.Progressing, Revision: "abc", Promoted: "def", Step: 2, Weight: 40, Failed: 1,
				Gate: canary.HookConfirmTrafficIncrease, GateSince: ago(20 * time.Second), Reason: rollout.Reason{Code: rollout.GateClosed},
			},
			History: []rollout.Entry{
				{Time: ago(3 * time.Minute), Phase: rollout.Progressing, Step: 1, Steps: 3, Weight: 20, Reason: "next step"},
				{Time: ago(time.Minute), Phase: rollout.Progressing, Step: 2, Steps: 3, Weight: 40, Failed: 1, Reason: "next step",
					Checks: []rollout.CheckResult{{Name: "request-success-rate", Value: &value, Verdict: rollout.Pass}}},
			},
		},
	}
	s.Attend(noon)
	return s
}

func TestStandingsAreListedAsKubectlWritesThem(t *testing.T) {
	t.Parallel()
	failed := standing()
	failed.Canary, failed.Holder = "web", ""
	failed.Record.Status = rollout.Status{Phase: rollout.Failed, Failed: 5}
	failed.Attend(noon)
	unread := report.Standing{Canary: "odd\x1b[2J", Namespace: "shop", Problem: "its record.json is damaged"}
	all := []report.Standing{standing(), failed, unread}
	golden(t, "standing.list", report.RenderStandings(all, report.ListOptions{Now: noon}))
	golden(t, "standing.wide", report.RenderStandings(all, report.ListOptions{Now: noon, Wide: true, Namespaces: true}))
	steady := report.ListOptions{Now: noon, Steady: true, NameWidth: 7}
	lines := report.RenderStandings(all[:1], steady)
	steady.NoHeaders = true
	golden(t, "standing.steady", lines+report.RenderStandings(all[1:2], steady))
	golden(t, "standing.bare", report.RenderStandings(all[:1], report.ListOptions{Now: noon, NoHeaders: true}))
}

func TestStandingIsDescribed(t *testing.T) {
	t.Parallel()
	s := standing()
	golden(t, "standing.page", report.Look{Width: 100}.Describe(s, noon))
	s.Gate = &report.Gate{Name: "confirm-traffic-increase", Command: "/canary approve r7-2-k3v9q2ab", Who: "1 of approvers", Until: noon.Add(time.Hour)}
	s.HeldUntil = noon.Add(-time.Minute)
	s.Attend(noon)
	s.Decisions = approval.Log{Head: "cut", Decisions: []approval.Decision{
		{Actor: approval.Actor{ID: 4, Login: "bob"}, Verb: approval.Approve, Counted: true, Reason: approval.Counted, Observed: noon.Add(-time.Second), Why: "looks good\n::error::x"},
		{Actor: approval.Actor{ID: 5, Login: "ann"}, Verb: approval.Approve, Reason: approval.NotEligible, Observed: noon},
	}}
	golden(t, "standing.page-gate", report.Look{Width: 100, ASCII: true}.Describe(s, noon))
}

func TestStandingSurvivesJSON(t *testing.T) {
	t.Parallel()
	one, err := report.StandingsJSON([]report.Standing{standing()}, true)
	if err != nil {
		t.Fatal(err)
	}
	var back report.Standing
	if err := json.Unmarshal(one, &back); err != nil {
		t.Fatal(err)
	}
	if back.Record.Status != standing().Record.Status || back.Run != report.Attended {
		t.Errorf("the status changed on its way: %+v", back)
	}
	if none, err := report.StandingsJSON(nil, true); err != nil || !strings.Contains(string(none), `"items": []`) {
		t.Errorf("no canary is %s, %v; want an empty list", none, err)
	}
	text, err := report.StandingsYAML([]report.Standing{standing(), standing()}, false)
	if err != nil || !strings.Contains(string(text), "items:\n- canary: podinfo\n") {
		t.Errorf("YAML is\n%s%v", text, err)
	}
}
