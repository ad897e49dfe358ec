package gate_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// alerts returns the alerts of a canary to a receiver, and what was told of those that failed.
func alerts(t *testing.T, r *receiver, change func(*gate.AlertConfig)) (*gate.Alerts, *[]string) {
	t.Helper()
	c := &canary.Canary{}
	c.Name, c.Namespace = "podinfo", "shop"
	c.Spec.TargetRef = canary.ObjectRef{Kind: "Deployment", Name: "podinfo"}
	c.Spec.Analysis = &canary.Analysis{Webhooks: []canary.Webhook{{Name: "quiet", Type: canary.HookConfirmTrafficIncrease, MuteAlert: true}}}
	failed := &[]string{}
	config := gate.AlertConfig{
		Canary: c, Clock: clock.RealClock{}, Version: "1.2.3",
		Links: func(over bool) []notify.Link {
			links := []notify.Link{{Name: "Job", URL: "https://ci.example.com/7"}, {Name: "Pull request", URL: "https://forge.example.com/pull/3"}}
			if over {
				links = append(links, notify.Link{Name: "Report", URL: "https://ci.example.com/7/report.html"})
			}
			return links
		},
		Route:  notify.Route{Alert: "on-call", Severity: canary.SeverityInfo, Type: "slack", Provider: "slack", Address: notify.Secret(r.URL + "/T0/secret"), Channel: "ops"},
		Failed: func(err error) { *failed = append(*failed, err.Error()) },
	}
	if change != nil {
		change(&config)
	}
	a, err := gate.NewAlerts(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, failed
}

// life is a rollout that is approved, then rolled back.
func life() []runner.Update {
	at := func(phase rollout.Phase, gate canary.HookType, reason string) runner.Update {
		return runner.Update{Snapshot: report.Snapshot{
			Namespace: "shop", Canary: "podinfo", Reason: reason, Image: "app:2",
			Spec:   rollout.Spec{Threshold: 5, Steps: make([]rollout.Step, 3)},
			Status: rollout.Status{Phase: phase, Gate: gate, Held: gate != "", Step: 1, Weight: 20, Failed: 5},
		}}
	}
	start := at(rollout.Progressing, "", "new revision")
	start.Events = []rollout.Event{{Message: "New revision detected! Scaling up podinfo.shop"}}
	asked := at(rollout.Progressing, canary.HookConfirmPromotion, "gate not asked yet")
	asked.Snapshot.Status.Held = false
	back := at(rollout.RollingBack, "", "a check failed: success-rate")
	over := at(rollout.Failed, "", "a check failed: success-rate")
	over.Snapshot.Outcome = rollout.RolledBack
	return []runner.Update{
		start, at(rollout.Progressing, canary.HookConfirmTrafficIncrease, "gate closed"), at(rollout.Progressing, "", "next step"),
		asked, at(rollout.Progressing, rollout.GroupGate, "the others"),
		at(rollout.Progressing, canary.HookConfirmPromotion, "gate closed"), at(rollout.Progressing, canary.HookConfirmPromotion, "gate closed"),
		back, at(rollout.RollingBack, "", "scaling down"), over,
	}
}

func TestAlertsAreSentOnceWhenFlaggerSendsThem(t *testing.T) {
	t.Parallel()
	for severity, want := range map[canary.Severity][]string{
		canary.SeverityInfo:  {"New revision detected, progressing canary analysis.", "Canary promotion is waiting for approval.", "Rolling back."},
		canary.SeverityWarn:  {"Canary promotion is waiting for approval.", "Rolling back."},
		canary.SeverityError: {"Rolling back."},
	} {
		r := receive(t, nil)
		a, failed := alerts(t, r, func(c *gate.AlertConfig) { c.Route.Severity = severity })
		for _, u := range life() {
			a.Report(t.Context(), u)
		}
		if len(r.requests()) != len(want) || len(*failed) > 0 {
			t.Fatalf("%s: got %d alerts, want %d; failed: %q", severity, len(r.requests()), len(want), *failed)
		}
		for i, title := range want {
			if !strings.Contains(r.requests()[i].Body, title) {
				t.Errorf("%s: alert %d is %s, want %q", severity, i, r.requests()[i].Body, title)
			}
		}
		last := r.requests()[len(r.requests())-1]
		for _, text := range []string{"a check failed: success-rate", "app:2", "20 % at step 1 of 3", "5 of 5", "https://ci.example.com/7|Job", "https://forge.example.com/pull/3", "Deployment/podinfo"} {
			if !strings.Contains(last.Body, text) {
				t.Errorf("the last alert lacks %q: %s", text, last.Body)
			}
		}
		if last.Path != "POST /T0/secret" || last.Agent != "penstock/1.2.3" {
			t.Errorf("got %s from %s", last.Path, last.Agent)
		}
	}
}

func TestEveryEndHasItsAlert(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[rollout.Outcome]string{
		rollout.Promoted: "promotion finished.", rollout.Initialised: "New Deployment detected, initialization completed.",
		rollout.Halted: "The rollout is halted", rollout.Cancelled: "The job was cancelled.", rollout.Superseded: "Another run has taken over.",
		rollout.Gated: "Nobody let the rollout go on in time.", rollout.RolledBack: "Initialization failed.",
		rollout.Unchanged: "", rollout.Suspended: "", rollout.Uninstalled: "",
	} {
		r := receive(t, nil)
		a, _ := alerts(t, r, nil)
		a.Report(t.Context(), runner.Update{Snapshot: report.Snapshot{Outcome: outcome}})
		if (len(r.requests()) == 1) != (want != "") || want != "" && !strings.Contains(r.requests()[0].Body, want) {
			t.Errorf("outcome %d: got %v, want %q", outcome, r.got, want)
		}
		if want != "" && !strings.Contains(r.requests()[0].Body, "https://ci.example.com/7/report.html") {
			t.Errorf("outcome %d: the report is not linked: %s", outcome, r.requests()[0].Body)
		}
	}
}

func TestAnAnalysisThatIsHeldIsNoFailedPromotion(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	a, _ := alerts(t, r, nil)
	a.Report(t.Context(), runner.Update{Snapshot: report.Snapshot{
		Outcome: rollout.Halted, Status: rollout.Status{Phase: rollout.Failed, Halted: true, Revision: "new", Promoted: "old"},
	}})
	if got := r.requests(); len(got) != 1 || !strings.Contains(got[0].Body, "The rollout is halted, with the traffic where it is.") {
		t.Errorf("got %v", got)
	}
}

// impatient is a clock whose waits are over at once.
type impatient struct {
	clock.RealClock
	waits []time.Duration
}

func (c *impatient) After(d time.Duration) <-chan time.Time {
	c.waits = append(c.waits, d)
	over := make(chan time.Time, 1)
	over <- time.Time{}
	return over
}

func TestAnAlertThatIsNotTakenIsToldWithoutItsAddress(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	status.Store(http.StatusForbidden)
	r := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })
	hurry := &impatient{}
	a, failed := alerts(t, r, func(c *gate.AlertConfig) { c.Clock = hurry })
	a.Report(t.Context(), life()[0])
	if len(r.requests()) != 1 || len(*failed) != 1 || len(hurry.waits) > 0 {
		t.Errorf("refused for good: asked %d times, failed %q, waited %v", len(r.requests()), *failed, hurry.waits)
	}
	status.Store(http.StatusInternalServerError)
	a.Report(t.Context(), life()[0])
	a.Report(t.Context(), life()[0])
	if len(r.requests()) != 1+3+3 || len(*failed) != 2 || len(hurry.waits) != 4 {
		t.Errorf("in trouble: asked %d times, failed %q, waited %v", len(r.requests()), *failed, hurry.waits)
	}
	r.Close()
	a.Report(t.Context(), life()[0])
	if len(*failed) != 3 {
		t.Errorf("gone: failed %q", *failed)
	}
	for _, text := range *failed {
		if strings.Contains(text, "secret") || !strings.Contains(text, `alert "on-call": alert provider "slack"`) {
			t.Errorf("told: %s", text)
		}
	}
}

func TestAChatThatSaysWhenIsNotWrittenToBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after string
		want  []time.Duration // waits
		asked int
	}{
		{"", []time.Duration{time.Second}, 2},
		{"7", []time.Duration{7 * time.Second}, 2},
		{"0", []time.Duration{time.Second}, 2},
		{"600", nil, 1}, // the alerts that follow cannot wait for so long
	} {
		var asked atomic.Int32
		r := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.Header().Set("Retry-After", c.after)
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		hurry := &impatient{}
		a, failed := alerts(t, r, func(c *gate.AlertConfig) { c.Clock = hurry })
		a.Report(t.Context(), life()[0])
		if len(r.requests()) != c.asked || !slices.Equal(hurry.waits, c.want) || len(*failed) != 2-c.asked {
			t.Errorf("Retry-After %q: asked %d times after %v, failed %q", c.after, len(r.requests()), hurry.waits, *failed)
		}
	}
}

func TestASecretIsReadWhenTheFirstAlertIsDue(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	reads := 0
	a, failed := alerts(t, r, func(c *gate.AlertConfig) {
		c.Route.Address, c.Route.Secret, c.Route.Namespace, c.Route.Severity = "", "chat", "ops", canary.SeverityWarn
		c.Secret = func(_ context.Context, namespace, name string) (map[string][]byte, error) {
			if reads++; reads == 1 {
				return nil, errors.New("secret \"ops/chat\" does not exist")
			}
			return map[string][]byte{"address": []byte(r.URL + "/hook\n")}, nil
		}
	})
	for _, u := range life() {
		a.Report(t.Context(), u)
	}
	if reads != 2 || len(r.requests()) != 1 || len(*failed) != 1 || !strings.Contains((*failed)[0], `alert "on-call": secret "ops/chat" does not exist`) {
		t.Errorf("read %d times, got %d alerts, failed %q", reads, len(r.requests()), *failed)
	}
}

func TestAProxyThatIsNoURLIsRefused(t *testing.T) {
	t.Parallel()
	_, err := gate.NewAlerts(gate.AlertConfig{Route: notify.Route{Provider: "slack", Proxy: "proxy:pass%zz"}})
	if err == nil || strings.Contains(err.Error(), "pass") {
		t.Errorf("got %v", err)
	}
}
