package analysis_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// signing stands for the credentials of the run.
type signing struct{}

func (signing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer run")
	return http.DefaultTransport.RoundTrip(r)
}

func TestACheckWithoutAnAddressIsAskedInTheCluster(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 11, 24, 16, 0, 10, 0, time.UTC)
	list := `{"items":[{"timestamp":"2025-11-24T16:00:00Z","value":"99500m"}]}`
	seen := make(chan *http.Request, 2)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		answer(200, list)(w, r)
	})
	k := check("")
	k.Provider, k.Query = "externalmetrics", "shop/success"
	elsewhere := k
	elsewhere.Source.Address = address
	a := analyst(t, analysis.Config{
		Checks:  []metric.Check{k, elsewhere},
		Cluster: &analysis.Cluster{Address: address + "/k8s/clusters/c1/", Client: &http.Client{Transport: signing{}}},
	})
	for _, got := range a.Check(t.Context(), now) {
		if got.Verdict != rollout.Pass || *got.Value != 99.5 {
			t.Error(got.Message)
		}
	}
	const path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/success"
	for range 2 {
		r := <-seen
		cluster := strings.HasPrefix(r.URL.Path, "/k8s/clusters/c1/")
		if !strings.HasSuffix(r.URL.Path, path) || cluster != (r.Header.Get("Authorization") == "Bearer run") {
			t.Errorf("%s is asked with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
	}
	if _, err := analysis.New(analysis.Config{Checks: []metric.Check{k}}); err == nil || err.Error() != `check "success": it has no address, and there is no cluster to ask` {
		t.Error(err)
	}
}

func TestAThrottledCheckIsAskedAgain(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 9)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		if len(asked) < 3 {
			answer(429, `{"errors":["Rate limit of 300 requests reached"]}`)(w, r)
			return
		}
		answer(200, `{"status":"ok","series":[{"interval":10,"pointlist":[[1764000000000,99.5]]}]}`)(w, r)
	})
	k := withSecret(address)
	k.Provider = "datadog"
	a := analyst(t, analysis.Config{Checks: []metric.Check{k}, Credentials: holding(metric.Credentials{"datadog_api_key": "a", "datadog_application_key": "b"})})
	if got := a.Check(t.Context(), time.Date(2025, 11, 24, 16, 0, 10, 0, time.UTC))[0]; got.Verdict != rollout.Pass {
		t.Error(got.Message)
	}
}
