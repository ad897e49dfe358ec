package rehearsal

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

func TestPrometheusAnswersAsPrometheusDoes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(counter("a_total", 5, "path", `/"\`, "é", "ü"))
	s.Record(counter("b_total", 6))
	s.scrape(t, time.Second)
	at := model.TimeFromUnixNano(s.clock.Now().UnixNano())
	tests := map[string]struct {
		query string
		want  model.Value
		typ   promv1.ErrorType
		text  string // in the error
	}{
		"a vector":    {query: "b_total", want: model.Vector{{Metric: model.Metric{"__name__": "b_total"}, Value: 6, Timestamp: at}}},
		"odd labels":  {query: "a_total", want: model.Vector{{Metric: model.Metric{"__name__": "a_total", "path": `/"\`, "é": "ü"}, Value: 5, Timestamp: at}}},
		"no series":   {query: "c_total", want: model.Vector{}},
		"a scalar":    {query: "1 + 1", want: &model.Scalar{Value: 2, Timestamp: at}},
		"infinity":    {query: "vector(1) / 0", want: model.Vector{{Metric: model.Metric{}, Value: model.SampleValue(math.Inf(1)), Timestamp: at}}},
		"a matrix":    {query: "b_total[1500ms]", want: model.Matrix{{Metric: model.Metric{"__name__": "b_total"}, Values: []model.SamplePair{{Timestamp: at - 1000, Value: 0}, {Timestamp: at, Value: 6}}}}},
		"a bad query": {query: "sum(", typ: promv1.ErrBadData, text: `invalid parameter "query": 1:5: parse error: unclosed left parenthesis`},
		"no query":    {query: "", typ: promv1.ErrBadData, text: "no expression found in input"},
		"a query that cannot run": {
			query: `{__name__=~"[ab]_total"} * on() {__name__=~"[ab]_total"}`, typ: promv1.ErrExec, text: "found duplicate series",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, _, err := s.api.Query(t.Context(), tt.query, time.Time{})
			if tt.typ != "" {
				var refused *promv1.Error
				if !errors.As(err, &refused) || refused.Type != tt.typ || !strings.Contains(refused.Msg, tt.text) {
					t.Errorf("error %v, want %s: %s", err, tt.typ, tt.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPrometheusAnswersNaNWhenNothingHappened(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(counter("requests_total", 5))
	for range 4 {
		s.scrape(t, time.Minute)
	}
	if got := s.number(t, `sum(rate(requests_total[1m:10s])) / sum(rate(requests_total[1m:10s]))`); !math.IsNaN(got) {
		t.Errorf("answers %v, want NaN", got)
	}
}

func TestPrometheusTakesTheTimeOfAQuery(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(counter("requests_total", 5))
	s.scrape(t, time.Second)
	then := s.clock.Now()
	s.Record(counter("requests_total", 5))
	s.scrape(t, time.Minute)
	value, _, _, err := s.api.Query(t.Context(), "requests_total", then)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := value.(model.Vector); !ok || len(v) != 1 || v[0].Value != 5 {
		t.Errorf("then it was %v, want 5", value)
	}
	if got := s.number(t, "requests_total"); got != 10 {
		t.Errorf("now it is %v, want 10", got)
	}
	response, err := newClient(t).Get(s.URL() + "/api/v1/query?query=1&time=yesterday")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("HTTP %d for a time that is none, want 400", response.StatusCode)
	}
}

func TestPrometheusIsUnreachableWhileItIsDown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 2 {
		s.Record(counter("requests_total", 5))
		s.scrape(t, time.Second)
		if got := s.number(t, "count(requests_total)"); got != 1 {
			t.Errorf("answers %v", got)
		}
		s.Down(true)
		if value, _, _, err := s.api.Query(t.Context(), "requests_total", time.Time{}); err == nil {
			t.Errorf("down, and answers %v", value)
		}
		s.scrape(t, time.Second) // what happens meanwhile is kept
		s.Down(false)
	}
}
