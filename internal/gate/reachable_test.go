package gate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestReachAsksTheServerAndCallsNoWebhook(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodOptions {
			called.Add(1)
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
	}))
	defer server.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := &canary.Canary{}
	c.Spec.Analysis = &canary.Analysis{Webhooks: []canary.Webhook{
		{Name: "there", Type: canary.HookRollout, URL: server.URL + "/load?token=hush"},
		{Name: "gone", URL: strings.Replace(gone.URL, "http://", "http://user:hush@", 1) + "/?token=hush"},
	}}
	caller, err := New(Config{Canary: c})
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	all := caller.Reach(t.Context())
	if len(all) != 2 || all[0].Name != "there" || all[0].Err != nil {
		t.Errorf("%+v: any status is an answer", all)
	}
	if err := all[1].Err; err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v: want an error that shows no secret", err)
	}
	if called.Load() != 0 {
		t.Error("the webhook was called")
	}
}
