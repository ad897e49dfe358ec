package rehearsal

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

var servedBase = metric.Served{
	Namespace: "test", Target: "podinfo", Service: "podinfo", Port: 80, Ingress: "podinfo", Route: "podinfo", Host: "app.example.com", Path: "/",
}

// render fills in a builtin query for the canary of podinfo.
func render(query string) string {
	return strings.NewReplacer("{{ namespace }}", "test", "{{ ingress }}", "podinfo", "{{ service }}", "podinfo", "{{ target }}", "podinfo",
		"{{ word namespace }}", "test", "{{ word ingress }}", "podinfo", "{{ word service }}", "podinfo", "{{ route }}", "podinfo",
		"{{ pods }}", "podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)", "{{ interval }}", "1m").Replace(query)
}

// TestDataPlaneFromRequestToVerdict sends real requests through a real proxy to real apps, and asks what the router's own
// queries say of the canary.
func TestDataPlaneFromRequestToVerdict(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s, b := newServer(t), newBench(t, 100)
			observe, err := Observing(s.Recorder, provider, servedBase)
			if err != nil {
				t.Fatal(err)
			}
			b.options.Observe = observe
			b.primary.Behave(Behaviour{ErrorPercent: 100}) // must not be held against the canary
			if provider == "apisix" {                      // cannot tell the two apart
				b.primary.Behave(Behaviour{ErrorPercent: 10})
			}
			b.canary.Behave(Behaviour{ErrorPercent: 10})
			b.Route(b.routing(Split{Canary: 50}))
			for scrape := range 20 {
				for n := range 20 {
					b.get(t, scrape*20+n)
				}
				s.scrape(t, 3*time.Second)
			}
			builtin, err := metric.BuiltinFor(provider)
			if err != nil {
				t.Fatal(err)
			}
			// Ten of every hundred requests to the canary fail; the window holds the last 190 of 200.
			if got := s.number(t, render(builtin.SuccessRate)); got < 88.5 || got > 91.5 {
				t.Errorf("the canary's success rate is %v, want 90", got)
			}
			if got := s.number(t, render(builtin.Duration)); !(got > 0) {
				t.Errorf("the canary's duration is %v ms", got)
			}
		})
	}
}

func TestObservingTellsTheAppsMetricsFromTheRouters(t *testing.T) {
	t.Parallel()
	endpoint := Endpoint{Workload: "podinfo", Pod: "podinfo-abc-1"}
	const appCount, routerCount = `sum(http_request_duration_seconds_count{pod="podinfo-abc-1"})`, `sum(nginx_ingress_controller_requests)`
	tests := map[string]struct {
		done        Request
		app, router bool
	}{
		"an answer is in both":                           {Request{Version: Canary, Endpoint: endpoint, Answered: true, Code: 200}, true, true},
		"a crash is only in the router's":                {Request{Version: Canary, Endpoint: endpoint, Code: 502}, false, true},
		"no endpoint is only in the router's":            {Request{Version: Canary, Code: 503}, false, true},
		"a request past the router is only in the app's": {Request{Version: Canary, Endpoint: endpoint, Answered: true, Code: 200, Direct: true}, true, false},
		"a crash that nobody saw is in neither":          {Request{Version: Canary, Endpoint: endpoint, Code: 502, Direct: true}, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			observe, err := Observing(s.Recorder, "nginx", servedBase)
			if err != nil {
				t.Fatal(err)
			}
			observe(tt.done)
			s.scrape(t, time.Second)
			for query, want := range map[string]bool{appCount: tt.app, routerCount: tt.router} {
				value, _, _, err := s.api.Query(t.Context(), query, time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				if v, ok := value.(model.Vector); !ok || (len(v) == 1) != want {
					t.Errorf("%s answers %v, want a number: %v", query, value, want)
				}
			}
		})
	}
}

func TestObservingRefusesAProviderWithoutMetrics(t *testing.T) {
	t.Parallel()
	_, err := Observing(NewRecorder(testclock.NewFakeClock(time.Now()), nil), "traefick", servedBase)
	if err == nil || !strings.Contains(err.Error(), "nginx") {
		t.Errorf("error %v does not list what is allowed", err)
	}
}
