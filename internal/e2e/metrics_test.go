package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// pushgateway keeps how it was asked.
type pushgateway struct {
	*httptest.Server
	mu   sync.Mutex
	asks []string // method, path and user
}

func newPushgateway(t *testing.T) *pushgateway {
	g := &pushgateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		_, _ = io.Copy(io.Discard, r.Body)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asks = append(g.asks, r.Method+" "+r.URL.Path+" "+user)
	}))
	t.Cleanup(g.Close)
	return g
}

func scrape(ctx context.Context, address, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// listen takes a free port.
func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestFlaggersMetricsAreServedAndPushedWhileARunLasts(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 25))
	s.initialise()
	gateway := newPushgateway(t)
	free := listen(t)
	address := free.Addr().String()
	_ = free.Close()
	run := s.rollOut(v2, "--metrics-address", address, "--pushgateway", strings.Replace(gateway.URL, "://", "://ci:hunter2@", 1))
	want := []string{
		`flagger_info{mesh_provider="gatewayapi:v1",version=`,
		fmt.Sprintf(`flagger_canary_total{namespace=%q} 1`, s.Name),
		fmt.Sprintf(`flagger_canary_status{name="podinfo",namespace=%q} 0`, s.Name),
		fmt.Sprintf(`flagger_canary_weight{namespace=%q,workload="podinfo"} 25`, s.Name),
		fmt.Sprintf(`flagger_canary_weight{namespace=%q,workload="podinfo-primary"} 75`, s.Name),
	}
	s.Await("the metrics of the first step", func(ctx context.Context) error {
		body, err := scrape(ctx, address, "/metrics")
		if err != nil {
			return err
		}
		for _, line := range want {
			if !strings.Contains(body, line) {
				return fmt.Errorf("%s is missing in\n%s", line, body)
			}
		}
		return nil
	})
	if body, err := scrape(t.Context(), address, "/healthz"); err != nil || body != "OK\n" {
		t.Errorf("/healthz says %q (%v)", body, err)
	}
	s.end(run, 0)
	s.wantPromoted(v2)
	gateway.mu.Lock()
	defer gateway.mu.Unlock()
	if len(gateway.asks) < 4 {
		t.Errorf("pushed %d times", len(gateway.asks))
	}
	for _, ask := range gateway.asks {
		if !strings.HasPrefix(ask, "POST /metrics/job/penstock/") || !strings.HasSuffix(ask, " ci") || !strings.Contains(ask, "/namespace/"+s.Name) {
			t.Errorf("the Pushgateway was asked %s", ask)
		}
	}
	if contains(run.Stdout()+run.Stderr(), "hunter2") {
		t.Error("the run shows the password of the Pushgateway")
	}
}

func TestAMetricsAddressThatIsTakenIsBadInput(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx")
	run := s.rollOut(v2, "--metrics-address", listen(t).Addr().String())
	s.end(run, 2)
	s.wantLine(run, "address already in use")
	s.wantUntouched()
}

func TestAPushgatewayThatIsNotThereHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("stepWeight", 50))
	s.initialise()
	run := s.rollOut(v2, "--pushgateway", "http://ci:hunter2@127.0.0.1:9")
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantLine(run, "the Pushgateway did not take the metrics: cannot reach http://127.0.0.1:9: connection refused")
	if contains(run.Stdout()+run.Stderr(), "hunter2") {
		t.Error("the run shows the password of the Pushgateway")
	}
}
