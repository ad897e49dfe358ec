package analysis_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// pairOf is a server of metrics that knows a query for each side.
type pairOf struct {
	mu    sync.Mutex
	asked []string
	rows  map[string][]float64
	count string
}

func (p *pairOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	p.mu.Lock()
	p.asked = append(p.asked, fmt.Sprintf("%s %s %s %s %s", r.URL.Path, query, r.FormValue("start"), r.FormValue("end"), r.FormValue("step")))
	p.mu.Unlock()
	if r.URL.Path == "/api/v1/query" {
		answer(200, strings.Replace(one, "99.5", p.count, 1))(w, r)
		return
	}
	var points []string
	for i, v := range p.rows[query] {
		points = append(points, fmt.Sprintf(`[%d,"%v"]`, 1764000000+i, v))
	}
	series := `{"metric":{},"values":[` + strings.Join(points, ",") + `]}`
	if len(points) == 0 {
		series = ""
	}
	answer(200, `{"status":"success","data":{"resultType":"matrix","result":[`+series+`]}}`)(w, r)
}

func comparison(address string) metric.Check {
	c := check(address)
	c.Query, c.Min = "canary", nil
	c.Versus = &metric.Versus{
		Query: "primary", Every: 5 * time.Second, Direction: canary.DirectionDecrease, Absolute: 0.5, Confidence: 0.99, Effect: 0.33, MinSamples: 8,
	}
	return c
}

func TestBothSidesAreAskedOverTheSameWindow(t *testing.T) {
	t.Parallel()
	server := &pairOf{rows: map[string][]float64{"canary": {90, 91, 92, 93, 94, 95, 96, 97}, "primary": {99, 99.1, 99.2, 99.3, 99.4, 99.5, 99.6, 99.7}}}
	address := serve(t, server.ServeHTTP)
	got := analyst(t, analysis.Config{Checks: []metric.Check{comparison(address)}}).Check(t.Context(), time.Unix(1764000000, 0))[0]
	if got.Verdict != rollout.Fail || got.Comparison == nil || len(got.Comparison.Canary) != 8 || got.Comparison.Value != 99.35 {
		t.Errorf("got %+v", got)
	}
	const window = " 1763999945.000 1764000000.000 5.000"
	if len(server.asked) != 2 {
		t.Fatalf("asked %q", server.asked)
	}
	for _, asked := range server.asked {
		if asked != "/api/v1/query_range canary"+window && asked != "/api/v1/query_range primary"+window {
			t.Errorf("asked %q", asked)
		}
	}
}

func TestAComparisonWithoutSamplesDoesNotPass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		server  *pairOf
		atLeast float64
		verdict rollout.Verdict
		message string
	}{
		{"no samples of the canary", &pairOf{rows: map[string][]float64{"primary": {1, 2, 3, 4, 5, 6, 7, 8}}}, 0, rollout.NoData, "0 samples of the canary and 8 of the primary"},
		{"no samples of the primary", &pairOf{rows: map[string][]float64{"canary": {1, 2, 3, 4, 5, 6, 7, 8}}}, 0, rollout.NoData, "8 samples of the canary and 0 of the primary"},
		{"too few requests", &pairOf{count: "7", rows: map[string][]float64{"canary": {1, 2, 3, 4, 5, 6, 7, 8}, "primary": {1, 2, 3, 4, 5, 6, 7, 8}}}, 10,
			rollout.NoData, "7 requests of the canary"},
	} {
		address := serve(t, c.server.ServeHTTP)
		check := comparison(address)
		if check.AtLeast = c.atLeast; c.atLeast > 0 {
			check.Count, check.Versus.Count = "count of canary", "count of primary"
		}
		got := analyst(t, analysis.Config{Checks: []metric.Check{check}}).Check(t.Context(), time.Unix(1764000000, 0))[0]
		if got.Verdict != c.verdict || !strings.Contains(got.Message, c.message) {
			t.Errorf("%s: got %s: %s", c.name, got.Verdict, got.Message)
		}
	}
}

func TestAServerThatIsDownIsAnErrorOfAComparison(t *testing.T) {
	t.Parallel()
	address := serve(t, answer(503, "restarting"))
	got := analyst(t, analysis.Config{Checks: []metric.Check{comparison(address)}}).Check(t.Context(), time.Unix(1764000000, 0))[0]
	if got.Verdict != rollout.Error || !strings.Contains(got.Message, "503") {
		t.Errorf("got %+v", got)
	}
}

func TestAProbeLooksAtTheQueriesForBothSides(t *testing.T) {
	t.Parallel()
	const canaries, primaries = `sum(rate(requests{app="web"}[5s]))`, `sum(rate(requsts{app="web-primary"}[5s]))`
	library := &shelf{answers: map[string]string{canaries: one}}
	check := comparison(serve(t, library.ServeHTTP))
	check.Query, check.Versus.Query = canaries, primaries
	got := analyst(t, analysis.Config{Checks: []metric.Check{check}}).Probe(t.Context(), time.Unix(1764000000, 0))[0]
	if got.Verdict != rollout.NoData || !strings.Contains(got.Message, "requsts") || !strings.HasSuffix(got.Message, "(the query for the primary)") {
		t.Errorf("got %s: %s", got.Verdict, got.Message)
	}
	library.answers[primaries] = one
	const warning = "(warning: the primary has 0 samples of 5s in the last 1m, and at least 8 are needed; in each there must be requests and two scrapes of the metrics)"
	if got := analyst(t, analysis.Config{Checks: []metric.Check{check}}).Probe(t.Context(), time.Unix(1764000000, 0))[0]; got.Verdict != rollout.Pass ||
		!strings.HasSuffix(got.Message, warning) {
		t.Errorf("got %s: %s", got.Verdict, got.Message)
	}
	library.answers["query_range"] = `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[` +
		strings.TrimSuffix(strings.Repeat(`[1,"2"],`, 8), ",") + `]}]}}`
	if got := analyst(t, analysis.Config{Checks: []metric.Check{check}}).Probe(t.Context(), time.Unix(1764000000, 0))[0]; got.Verdict != rollout.Pass ||
		strings.Contains(got.Message, "warning") {
		t.Errorf("got %s: %s", got.Verdict, got.Message)
	}
}
