package e2e

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An Answer is what the scripted Prometheus says to a query.
type Answer struct {
	values []float64 // of the series, for an answer without a body
	status int
	body   string
	hang   bool
}

// Value answers with one series of that value.
func Value(v float64) Answer { return Series(v) }

// NaN answers with one series that is not a number: what a division of nothing by nothing gives.
func NaN() Answer { return Series(math.NaN()) }

// Empty answers with no series: what a query for requests that never came gives.
func Empty() Answer { return Series() }

// Series answers with one series for each value, told apart by a label.
func Series(values ...float64) Answer { return Answer{values: values} }

// Fail answers with an HTTP status and a body of any kind.
func Fail(status int, body string) Answer { return Answer{status: status, body: body} }

// Refuse answers as Prometheus does to a query that it cannot evaluate.
func Refuse(message string) Answer {
	return Fail(http.StatusUnprocessableEntity, fmt.Sprintf(`{"status":"error","errorType":"execution","error":%q}`, message))
}

// Garbage answers 200 with something that is not JSON.
func Garbage() Answer { return Fail(http.StatusOK, "<html>welcome to the captive portal</html>") }

// Hang never answers; the connection ends with the client's patience or with the test.
func Hang() Answer { return Answer{hang: true} }

// A Query is one that the scripted Prometheus was asked.
type Query struct {
	At     time.Time
	Text   string
	Answer Answer
}

type script struct {
	part    string
	answers []Answer
}

// A Prometheus answers instant queries as it is told.
type Prometheus struct {
	URL string

	end     chan struct{}
	mu      sync.Mutex
	scripts []script
	queries []Query
	mood    func(Answer) Answer
}

// NewPrometheus starts a scripted Prometheus. Until told otherwise everything is fine: a success rate of 100 percent,
// and quantiles of 50 milliseconds.
func NewPrometheus(t testing.TB) *Prometheus {
	p := &Prometheus{end: make(chan struct{})}
	p.Script("", Value(100))
	p.Script("histogram_quantile", Value(50))
	p.Script("vector(1)", Value(1))
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/query", p.query)
	mux.HandleFunc("/api/v1/status/buildinfo", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"version":"3.5.0"}}`)
	})
	server := httptest.NewServer(mux)
	p.URL = server.URL
	t.Cleanup(func() {
		close(p.end)
		server.Close()
	})
	return p
}

// Script sets the answers to all queries that contain part: one after the other, the last one for ever. The latest
// script that fits a query wins.
func (p *Prometheus) Script(part string, answers ...Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, script{part: part, answers: answers})
}

// Mood changes every answer from now on. It is called for one query at a time.
func (p *Prometheus) Mood(mood func(Answer) Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mood = mood
}

// Queries returns all queries so far, in the order of their arrival.
func (p *Prometheus) Queries() []Query {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Query(nil), p.queries...)
}

func (p *Prometheus) next(query string) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := p.scripted(query)
	if p.mood != nil {
		answer = p.mood(answer)
	}
	p.queries = append(p.queries, Query{At: time.Now(), Text: query, Answer: answer})
	return answer
}

func (p *Prometheus) scripted(query string) Answer {
	for i := len(p.scripts) - 1; i >= 0; i-- {
		s := &p.scripts[i]
		if !strings.Contains(query, s.part) || len(s.answers) == 0 {
			continue
		}
		answer := s.answers[0]
		if len(s.answers) > 1 {
			s.answers = s.answers[1:]
		}
		return answer
	}
	return Empty()
}

func (p *Prometheus) query(w http.ResponseWriter, r *http.Request) {
	answer := p.next(r.FormValue("query"))
	switch {
	case answer.hang:
		select {
		case <-r.Context().Done():
		case <-p.end:
		}
	case answer.status != 0:
		w.WriteHeader(answer.status)
		fmt.Fprint(w, answer.body)
	default:
		fmt.Fprint(w, vector(time.Now(), answer.values))
	}
}

// vector writes an instant vector as Prometheus does; its numbers are strings because JSON knows no NaN.
func vector(at time.Time, values []float64) string {
	series := make([]string, len(values))
	for i, v := range values {
		series[i] = fmt.Sprintf(`{"metric":{"series":"%d"},"value":[%.3f,%q]}`,
			i, float64(at.UnixMilli())/1000, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}
