package rehearsal

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxQueryPoints is how many points a series of an answer may have, as in Prometheus.
const maxQueryPoints = 11_000

func (p *Prometheus) serveQueryRange(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxQueryBody)
	if err := r.ParseForm(); err != nil {
		refuseQuery(w, queryBadData, fmt.Errorf("error parsing form values: %w", err))
		return
	}
	span, err := readRange(r.Form.Get)
	if err != nil {
		refuseQuery(w, queryBadData, err)
		return
	}
	text := r.Form.Get("query")
	query, err := p.engine.NewRangeQuery(r.Context(), p.samples, nil, text, span.from, span.to, span.step)
	if err != nil {
		refuseQuery(w, queryBadData, fmt.Errorf("invalid parameter \"query\": %w", err))
		return
	}
	p.execute(w, r, query, text)
}

type queryRange struct {
	from, to time.Time
	step     time.Duration
}

func readRange(get func(string) string) (queryRange, error) {
	var span queryRange
	var err error
	for _, at := range []struct {
		name string
		into *time.Time
	}{{"start", &span.from}, {"end", &span.to}} {
		text := get(at.name)
		if text == "" {
			return span, fmt.Errorf("invalid parameter %q: it is missing", at.name)
		}
		if *at.into, err = queryTime(text, time.Time{}); err != nil {
			return span, fmt.Errorf("invalid parameter %q: %w", at.name, err)
		}
	}
	if span.step, err = queryStep(get("step")); err != nil {
		return span, fmt.Errorf("invalid parameter \"step\": %w", err)
	}
	switch {
	case span.to.Before(span.from):
		return span, errors.New(`invalid parameter "end": end timestamp must not be before start time`)
	case span.to.Sub(span.from)/span.step > maxQueryPoints:
		return span, fmt.Errorf("exceeded maximum resolution of %d points per timeseries", maxQueryPoints)
	}
	return span, nil
}

// queryStep reads a duration, which is seconds or Go's.
func queryStep(text string) (time.Duration, error) {
	step, err := time.ParseDuration(text)
	if seconds, failed := strconv.ParseFloat(text, 64); failed == nil && seconds < 1e9 {
		step, err = time.Duration(seconds*1000)*time.Millisecond, nil
	}
	if err != nil || step < time.Millisecond {
		return 0, fmt.Errorf("%q is not a duration of at least 1ms", text)
	}
	return step, nil
}
