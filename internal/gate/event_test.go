package gate_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

func TestEventsAreFlaggers(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	c := caller(t, gate.Config{},
		canary.Webhook{Name: "load test", URL: r.URL + "/no"},
		canary.Webhook{Name: "log", Type: canary.HookEvent, URL: r.URL, Metadata: map[string]string{
			"environment": "staging", "eventType": "what the event says of itself is not to be replaced",
		}})
	e := gate.Event{About: gate.About{Phase: "Failed", Checksum: "85d557f47b"}, Message: "Canary failed! Scaling down podinfo.test", Warning: true}
	if err := c.Event(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	e = gate.Event{About: about, At: noon, Message: "Advance podinfo.test canary weight 10"}
	if err := c.Event(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got := r.requests()
	if len(got) != 2 {
		t.Fatalf("%d requests", len(got))
	}
	golden(t, "event-warning.json", got[0].Body)
	golden(t, "event-normal.json", got[1].Body)
}

func TestEveryWebhookGetsAnEventAndTheErrorNamesThoseThatDidNotTakeIt(t *testing.T) {
	t.Parallel()
	r := receive(t, func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/bad") {
			w.WriteHeader(500)
		}
	})
	hook := func(name string) canary.Webhook {
		return canary.Webhook{Name: name, Type: canary.HookEvent, URL: r.URL + "/" + name}
	}
	err := caller(t, gate.Config{}, hook("bad1"), hook("good"), hook("bad2")).Event(t.Context(), gate.Event{Message: "x"})
	if err == nil || err.Error() != "hook \"bad1\": answered 500\nhook \"bad2\": answered 500" {
		t.Errorf("got %v", err)
	}
	if n := len(r.requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
	if err := caller(t, gate.Config{}).Event(t.Context(), gate.Event{Message: "x"}); err != nil {
		t.Errorf("nobody wants events: %v", err)
	}
}

func updated(phase rollout.Phase, events ...rollout.Event) runner.Update {
	return runner.Update{Snapshot: report.Snapshot{Status: rollout.Status{Phase: phase, Revision: "6849403941"}, Now: noon}, Events: events}
}

func TestReportersSendTheEventsOfARolloutInOrder(t *testing.T) {
	t.Parallel()
	var failures []string
	var mu sync.Mutex
	r := receive(t, inTurn(answering(200, ""), answering(500, ""), answering(500, ""), answering(404, ""), answering(200, ""), answering(404, "")))
	c := caller(t, gate.Config{EventFailed: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err.Error())
	}}, canary.Webhook{Name: "log", Type: canary.HookEvent, URL: r.URL}, canary.Webhook{Name: "load test", URL: r.URL})
	tell := func(st *rollout.Status) gate.About { return gate.AboutStatus(st, nil) }
	reporters := c.Reporters(tell)
	if len(reporters) != 1 {
		t.Fatalf("%d reporters", len(reporters))
	}
	reporters[0].Report(t.Context(), updated(rollout.Progressing))
	reporters[0].Report(t.Context(), updated(rollout.Progressing, rollout.Event{Message: "1"}, rollout.Event{Message: "2", Warning: true}))
	reporters[0].Report(t.Context(), updated(rollout.RollingBack, rollout.Event{Message: "3"}, rollout.Event{Message: "4"}, rollout.Event{Message: "5"}))
	reporters[0].Report(t.Context(), updated(rollout.Failed, rollout.Event{Message: "6"}))

	var messages []string
	for _, q := range r.requests() {
		m := q.metadata(t)
		messages = append(messages, m["eventMessage"]+" "+m["eventType"]+" "+m["timestamp"])
		if strings.Contains(q.Body, "RollingBack") || !strings.Contains(q.Body, `"checksum":"5df44fd8b7"`) {
			t.Errorf("got %s", q.Body)
		}
	}
	const at = " 1777896000123"
	want := []string{"1 Normal" + at, "2 Warning" + at, "3 Normal" + at, "4 Normal" + at, "5 Normal" + at, "6 Normal" + at}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`hook "log": answered 500`, `hook "log": answered 404`, `hook "log": answered 404`}, failures); diff != "" {
		t.Errorf("failures are told when they change: %s", diff)
	}
}

func TestTheRunnerCallsThroughHooks(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	c := caller(t, gate.Config{}, canary.Webhook{Name: "x", Type: canary.HookPostRollout, URL: r.URL})
	var hooks runner.Hooks = gate.Hooks{Caller: c, About: func(st *rollout.Status) gate.About { return gate.AboutStatus(st, nil) }}
	got := hooks.Call(t.Context(), canary.HookPostRollout, &rollout.Status{Phase: rollout.Succeeded, Revision: "6849403941"})
	if got.Verdict != rollout.Pass || !strings.Contains(r.requests()[0].Body, `"phase":"Succeeded","checksum":"5df44fd8b7"`) {
		t.Errorf("got %v, %s", got.Verdict, r.requests()[0].Body)
	}
}
