package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
)

// maxQueryBody bounds the body of a request, in bytes.
const maxQueryBody = 1 << 20

// The kinds of errors of Prometheus' HTTP API.
const (
	queryBadData  = "bad_data"
	queryTimedOut = "timeout"
	queryCanceled = "canceled"
	queryInternal = "internal"
	queryFailed   = "execution"
)

// queryAnswer is the body of every answer of the API.
type queryAnswer struct {
	Status    string       `json:"status"`
	Data      *queryResult `json:"data,omitempty"`
	ErrorType string       `json:"errorType,omitempty"`
	Error     string       `json:"error,omitempty"`
	Warnings  []string     `json:"warnings,omitempty"`
	Infos     []string     `json:"infos,omitempty"`
}

type queryResult struct {
	Type   string `json:"resultType"`
	Result any    `json:"result"`
}

// routes returns the HTTP API of Prometheus, as far as instant and range queries need it.
func (p *Prometheus) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/query", p.serveQuery)
	mux.HandleFunc("POST /api/v1/query", p.serveQuery)
	mux.HandleFunc("GET /api/v1/query_range", p.serveQueryRange)
	mux.HandleFunc("POST /api/v1/query_range", p.serveQueryRange)
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	}
	return mux
}

func (p *Prometheus) serveQuery(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxQueryBody)
	if err := r.ParseForm(); err != nil {
		refuseQuery(w, queryBadData, fmt.Errorf("error parsing form values: %w", err))
		return
	}
	at, err := queryTime(r.Form.Get("time"), p.clock.Now())
	if err != nil {
		refuseQuery(w, queryBadData, fmt.Errorf("invalid parameter \"time\": %w", err))
		return
	}
	text := r.Form.Get("query")
	query, err := p.engine.NewInstantQuery(r.Context(), p.samples, nil, text, at)
	if err != nil {
		refuseQuery(w, queryBadData, fmt.Errorf("invalid parameter \"query\": %w", err))
		return
	}
	p.execute(w, r, query, text)
}

// execute runs a query and answers with its result.
func (p *Prometheus) execute(w http.ResponseWriter, r *http.Request, query promql.Query, text string) {
	defer query.Close()
	result := query.Exec(r.Context())
	if result.Err != nil {
		refuseQuery(w, queryErrorKind(result.Err), result.Err)
		return
	}
	answer := queryAnswer{Status: "success", Data: &queryResult{Type: string(result.Value.Type()), Result: plain(result)}}
	answer.Warnings, answer.Infos = result.Warnings.AsStrings(text, 10, 10)
	writeQueryAnswer(w, http.StatusOK, answer)
}

// queryTime reads a time, which is seconds since 1970 or RFC 3339.
func queryTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	const latest = 1 << 40 // some 35,000 years; milliseconds of it fit easily
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < latest {
		return time.UnixMilli(int64(math.Round(seconds * 1000))), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", text)
	}
	return t, nil
}

// plain returns a result with the types that write the API's JSON.
func plain(result *promql.Result) any {
	switch v := result.Value.(type) {
	case promql.Scalar:
		return model.Scalar{Value: model.SampleValue(v.V), Timestamp: model.Time(v.T)}
	case promql.String:
		return model.String{Value: v.V, Timestamp: model.Time(v.T)}
	case promql.Vector:
		out := make(model.Vector, 0, len(v)) // an empty result is [], not null
		for _, s := range v {
			out = append(out, &model.Sample{Metric: plainMetric(s.Metric.Map()), Value: model.SampleValue(s.F), Timestamp: model.Time(s.T)})
		}
		return out
	case promql.Matrix:
		out := make(model.Matrix, 0, len(v))
		for _, s := range v {
			points := make([]model.SamplePair, 0, len(s.Floats))
			for _, f := range s.Floats {
				points = append(points, model.SamplePair{Timestamp: model.Time(f.T), Value: model.SampleValue(f.F)})
			}
			out = append(out, &model.SampleStream{Metric: plainMetric(s.Metric.Map()), Values: points})
		}
		return out
	}
	return nil
}

func plainMetric(labels map[string]string) model.Metric {
	out := make(model.Metric, len(labels))
	for name, value := range labels {
		out[model.LabelName(name)] = model.LabelValue(value)
	}
	return out
}

// queryErrorKind returns the API's name for what went wrong while a query ran.
func queryErrorKind(err error) string {
	var (
		canceled promql.ErrQueryCanceled
		timedOut promql.ErrQueryTimeout
		storage  promql.ErrStorage
	)
	switch {
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return queryCanceled
	case errors.As(err, &timedOut):
		return queryTimedOut
	case errors.As(err, &storage):
		return queryInternal
	}
	return queryFailed
}

func refuseQuery(w http.ResponseWriter, kind string, err error) {
	code := http.StatusUnprocessableEntity
	switch kind {
	case queryBadData:
		code = http.StatusBadRequest
	case queryTimedOut:
		code = http.StatusServiceUnavailable
	case queryCanceled:
		code = 499 // the client has closed the connection; net/http has no name for it
	case queryInternal:
		code = http.StatusInternalServerError
	}
	writeQueryAnswer(w, code, queryAnswer{Status: "error", ErrorType: kind, Error: err.Error()})
}

func writeQueryAnswer(w http.ResponseWriter, code int, answer queryAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // a client that has gone away needs no answer
}
