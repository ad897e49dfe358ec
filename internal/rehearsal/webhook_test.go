package rehearsal_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rehearsal"
)

func startWebhooks(t *testing.T) *rehearsal.Webhooks {
	t.Helper()
	w, err := rehearsal.StartWebhooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func post(t *testing.T, method, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestWebhooksOfARehearsalLetTheRolloutGoOn(t *testing.T) {
	t.Parallel()
	w := startWebhooks(t)
	for _, hook := range canary.HookTypes() {
		want := http.StatusOK
		if hook == canary.HookRollback {
			want = http.StatusForbidden
		}
		if got := post(t, http.MethodPost, w.URL(hook, "any"), `{}`); got != want || w.Answer(hook) != want {
			t.Errorf("%s: got %d, says %d, want %d", hook, got, w.Answer(hook), want)
		}
	}
	w.SetAnswer(canary.HookConfirmPromotion, http.StatusForbidden)
	if got := post(t, http.MethodPost, w.URL(canary.HookConfirmPromotion, "any"), `{}`); got != http.StatusForbidden {
		t.Errorf("a gate that was closed answered %d", got)
	}
}

func TestCallsOfWebhooksAreKept(t *testing.T) {
	t.Parallel()
	w := startWebhooks(t)
	name := `load/test "50%"`
	post(t, http.MethodPost, w.URL(canary.HookRollout, name), `{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"c","metadata":{"cmd":"hey"}}`)
	if got := post(t, http.MethodPost, w.URL(canary.HookRollout, name), `nonsense`); got != http.StatusBadRequest {
		t.Errorf("nonsense was answered with %d", got)
	}
	if got := post(t, http.MethodGet, w.URL(canary.HookRollout, name), ``); got != http.StatusMethodNotAllowed {
		t.Errorf("GET was answered with %d", got)
	}
	want := []rehearsal.WebhookCall{{
		Hook: canary.HookRollout, Webhook: name, Status: 200, Name: "podinfo", Phase: "Progressing", Checksum: "c",
		Metadata: map[string]string{"cmd": "hey"},
	}}
	if diff := cmp.Diff(want, w.Calls()); diff != "" {
		t.Error(diff)
	}
}

func TestTheRehearsalSaysWhichWebhooksItAnswers(t *testing.T) {
	t.Parallel()
	w := startWebhooks(t)
	before := []canary.Webhook{
		{Name: "gate", Type: canary.HookConfirmRollout, URL: "https://gate.example", DisableTLS: true, Timeout: "3s"},
		{Name: "load test", URL: "http://loadtester.test/", Metadata: map[string]string{"cmd": "hey"}},
		{Name: "abort", Type: canary.HookRollback, URL: "http://loadtester.test/rollback/check"},
	}
	c := &canary.Canary{}
	c.Spec.Analysis = &canary.Analysis{Webhooks: before}
	want := []string{
		`webhook "gate" (confirm-rollout) is answered by the rehearsal: it is open at once`,
		`webhook "load test" (rollout) is answered by the rehearsal: it succeeds`,
		`webhook "abort" (rollback) is answered by the rehearsal: it asks for no rollback`,
	}
	if diff := cmp.Diff(want, w.StandIn(c)); diff != "" {
		t.Error(diff)
	}
	if before[0].URL != "https://gate.example" {
		t.Error("the webhooks that were given have changed")
	}
	want0 := canary.Webhook{Name: "gate", Type: canary.HookConfirmRollout, URL: w.URL(canary.HookConfirmRollout, "gate"), Timeout: "3s"}
	if diff := cmp.Diff(want0, c.Spec.Analysis.Webhooks[0]); diff != "" {
		t.Error(diff)
	}
	if said := w.StandIn(&canary.Canary{}); said != nil {
		t.Errorf("without an analysis: %q", said)
	}
}
