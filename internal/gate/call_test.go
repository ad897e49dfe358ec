package gate_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestPayloadsAreFlaggers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		hook canary.Webhook
	}{
		{"confirm-rollout", canary.Webhook{Type: canary.HookConfirmRollout}},
		{"pre-rollout", canary.Webhook{Type: canary.HookPreRollout, Metadata: map[string]string{"type": "bash", "cmd": `curl -sd '{"a":1}' http://podinfo-canary.test/token | grep "x" && true`}}},
		{"rollout", canary.Webhook{Metadata: map[string]string{"cmd": "hey -z 1m -q 10 -c 2 http://podinfo-canary.test/"}}},
		{"rollout-without-metadata", canary.Webhook{Type: canary.HookRollout, Metadata: map[string]string{}}},
		{"confirm-traffic-increase", canary.Webhook{Type: canary.HookConfirmTrafficIncrease}},
		{"confirm-promotion", canary.Webhook{Type: canary.HookConfirmPromotion, Metadata: map[string]string{"Straße": "ß <&> \u2028"}}},
		{"post-rollout", canary.Webhook{Type: canary.HookPostRollout}},
		{"rollback", canary.Webhook{Type: canary.HookRollback}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, nil)
			c.hook.Name, c.hook.URL = c.name, r.URL+"/"+c.name
			// The phase is one in which Flagger's own choice shows.
			told := gate.About{Phase: "WaitingPromotion", Checksum: "85d557f47b"}
			answer := caller(t, gate.Config{Version: "1.2.3"}, c.hook).Call(t.Context(), c.hook.EffectiveType(), told)
			if answer.Verdict != rollout.Pass {
				t.Fatalf("got %v: %s", answer.Verdict, answer.Message)
			}
			got := r.requests()
			if len(got) != 1 {
				t.Fatalf("%d requests", len(got))
			}
			golden(t, c.name+".json", got[0].Body)
			want := request{"POST /" + c.name, "application/json", "penstock/1.2.3", got[0].Body}
			if diff := cmp.Diff(want, got[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "gate", name)
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func TestEveryStatusHasItsVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   rollout.Verdict
		says   string
	}{
		{200, "OK", rollout.Pass, ""},
		{201, "", rollout.Pass, ""},
		{202, "", rollout.Pass, ""},
		{203, "", rollout.Pass, ""}, // a failure in Flagger, as all that follow
		{204, "", rollout.Pass, ""},
		{206, "", rollout.Pass, ""},
		{226, "", rollout.Pass, ""},
		{299, "", rollout.Pass, ""},
		{300, "", rollout.Fail, `hook "load test": answered 300: this is neither a yes nor a no`},
		{304, "", rollout.Fail, `hook "load test": answered 304: this is neither a yes nor a no`},
		{400, "no such command\n", rollout.Fail, `hook "load test": answered 400: no such command`},
		{403, "Forbidden", rollout.Fail, `hook "load test": answered 403: Forbidden`},
		{404, "", rollout.Fail, `hook "load test": answered 404`},
		{429, " \n ", rollout.Fail, `hook "load test": answered 429`},
		{500, "no capacity", rollout.Fail, `hook "load test": answered 500: no capacity`},
		{503, "two\nlines\x1b[31m\u202e", rollout.Fail, `hook "load test": answered 503: two lines.[31m.`},
		{599, "", rollout.Fail, `hook "load test": answered 599`},
	} {
		r := receive(t, answering(c.status, c.body))
		got := caller(t, gate.Config{}, canary.Webhook{Name: "load test", URL: r.URL}).Call(t.Context(), canary.HookRollout, about)
		want := rollout.HookAnswer{Hook: canary.HookRollout, Verdict: c.want, Message: c.says}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d: %s", c.status, diff)
		}
		if n := len(r.requests()); n != 1 {
			t.Errorf("%d: %d requests without a retry", c.status, n)
		}
	}
}

func TestWebhooksOfATypeAreCalledInOrderUntilOneFails(t *testing.T) {
	t.Parallel()
	r := receive(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/2" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	hook := func(kind canary.HookType, name string) canary.Webhook {
		return canary.Webhook{Name: name, Type: kind, URL: r.URL + "/" + name}
	}
	c := caller(t, gate.Config{},
		hook("", "1"), hook(canary.HookPreRollout, "other"), hook(canary.HookRollout, "2"), hook("", "3"),
		hook(canary.HookRollback, "2"), hook(canary.HookRollback, "4"), hook(canary.HookRollback, "5"),
	)
	answer := c.Call(t.Context(), canary.HookRollout, about)
	if answer.Verdict != rollout.Fail || answer.Message != `hook "2": answered 403` {
		t.Errorf("rollout: got %v, %s", answer.Verdict, answer.Message)
	}
	if diff := cmp.Diff([]string{"POST /1", "POST /2"}, r.paths()); diff != "" {
		t.Error(diff)
	}
	answer = c.Call(t.Context(), canary.HookRollback, about)
	if answer.Verdict != rollout.Pass || answer.Message != `hook "4": answered 200` {
		t.Errorf("rollback: got %v, %s", answer.Verdict, answer.Message)
	}
	if diff := cmp.Diff([]string{"POST /1", "POST /2", "POST /2", "POST /4"}, r.paths()); diff != "" {
		t.Error(diff)
	}
}

func TestARollbackIsAskedForOnlyByASuccess(t *testing.T) {
	t.Parallel()
	closed, gone := receive(t, answering(403, "")), receive(t, nil)
	gone.Close()
	hook := func(name, url string) canary.Webhook {
		return canary.Webhook{Name: name, Type: canary.HookRollback, URL: url}
	}
	both := caller(t, gate.Config{}, hook("unreachable", gone.URL), hook("closed", closed.URL))
	answer := both.Call(t.Context(), canary.HookRollback, about)
	if answer.Verdict != rollout.Error || !strings.HasPrefix(answer.Message, `hook "unreachable": cannot reach `) || len(closed.requests()) != 1 {
		t.Errorf("got %v, %s, after %d requests", answer.Verdict, answer.Message, len(closed.requests()))
	}
	none := caller(t, gate.Config{}, canary.Webhook{Name: "load test", URL: closed.URL})
	for _, kind := range []canary.HookType{canary.HookRollback, canary.HookConfirmRollout} {
		if answer := none.Call(t.Context(), kind, about); answer.Verdict != rollout.Unknown {
			t.Errorf("%s, of which there is none: got %v", kind, answer.Verdict)
		}
	}
}

func TestEveryURLThatCannotBeCalledIsNamed(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{}
	c.Spec.Analysis = &canary.Analysis{Webhooks: []canary.Webhook{
		{Name: "good", URL: "http://loadtester.test/"},
		{Name: "empty"},
		{Name: "other scheme", URL: "ftp://bot:hunter2@host/?token=s3cret"},
		{Name: "no host", URL: "https:///path?token=s3cret"},
		{Name: "port only", URL: "https://:8080/"},
		{Name: "broken", URL: "http://bot:hunter2@[::1/?token=s3cret"},
	}}
	_, err := gate.New(gate.Config{Canary: c})
	if err == nil {
		t.Fatal("no error")
	}
	const odd = "url is not an http:// or https:// URL (it is not shown, it may hold a credential)"
	want := `webhook "empty": url is missing; it is the http:// or https:// URL to call` + "\n" +
		`webhook "other scheme": ` + odd + "\n" + `webhook "no host": ` + odd + "\n" + `webhook "port only": ` + odd + "\n" + `webhook "broken": ` + odd
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if _, err := gate.New(gate.Config{Canary: &canary.Canary{}}); err != nil {
		t.Errorf("a canary without an analysis: %v", err)
	}
}

func TestTheChecksumIsFlaggers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		tracked map[string]string
		spec    string
		want    string
	}{
		{"nothing is known", nil, "", "758df7c9fc"},
		{"no configuration is tracked", nil, "6849403941", "5df44fd8b7"},
		{"there is no configuration", map[string]string{}, "6849403941", "5747fb9798"},
		{"two objects", map[string]string{"secret/token": "1d87a8f6b7d1ca3b", "configmap/podinfo-config": "fcf5cf45a2b0d2bd"}, "6849403941", "79cc66cd58"},
	} {
		if got := gate.Checksum(c.tracked, c.spec); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
