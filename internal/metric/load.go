package metric

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// load judges the load that a run makes itself, by the figures of its load generator: no Prometheus is needed. A query is
// the name of a figure, and after it that of a webhook where several make load: p99, or success-rate checkout load.
var load = Provider{
	Needs: loadNeeds, Request: loadRequest, Parse: loadParse,
	Lint: func(query string) error { _, err := parseLoad(query); return err },
}

// The host of the address is none: the run answers it itself.
var loadNeeds = Needs{Example: "none: the run knows its load", Address: "http://load.penstock.invalid/figures", Run: true}

// LoadFigures are what the load of one webhook has come to in a window. Times are in milliseconds.
type LoadFigures struct {
	Hook        string           `json:"hook"`
	Requests    int64            `json:"requests"` // with those that got no answer
	Failed      int64            `json:"failed"`   // that got none
	Rate        float64          `json:"rate"`     // requests a second
	Status      map[int]int64    `json:"status"`   // answers by their HTTP status
	Codes       map[string]int64 `json:"codes"`    // answers of gRPC by their code, such as OK
	Mean        float64          `json:"mean"`
	Fastest     float64          `json:"fastest"`
	Slowest     float64          `json:"slowest"`
	Percentiles map[int]float64  `json:"percentiles"`
}

// figure is one number of a load.
type figure struct {
	unit string
	of   func(f *LoadFigures) (float64, bool)
}

// loadFigures are the figures by their names. The latencies of a load without an answer are not known.
var loadFigures = map[string]figure{
	"success-rate": {"%", func(f *LoadFigures) (float64, bool) { return 100 * f.success(), f.Requests > 0 }},
	"error-rate":   {"%", func(f *LoadFigures) (float64, bool) { return 100 * (1 - f.success()), f.Requests > 0 }},
	"requests":     {"", func(f *LoadFigures) (float64, bool) { return float64(f.Requests), true }},
	"unanswered":   {"", func(f *LoadFigures) (float64, bool) { return float64(f.Failed), true }},
	"rps":          {"", func(f *LoadFigures) (float64, bool) { return f.Rate, true }},
	"mean":         {"ms", func(f *LoadFigures) (float64, bool) { return f.Mean, f.answered() }},
	"fastest":      {"ms", func(f *LoadFigures) (float64, bool) { return f.Fastest, f.answered() }},
	"slowest":      {"ms", func(f *LoadFigures) (float64, bool) { return f.Slowest, f.answered() }},
	"p10":          percentile(10),
	"p25":          percentile(25),
	"p50":          percentile(50),
	"p75":          percentile(75),
	"p90":          percentile(90),
	"p95":          percentile(95),
	"p99":          percentile(99),
}

func percentile(percent int) figure {
	return figure{"ms", func(f *LoadFigures) (float64, bool) {
		v, known := f.Percentiles[percent]
		return v, known && f.answered()
	}}
}

func (f *LoadFigures) answered() bool { return f.Requests > f.Failed }

// grpcFailures are the codes of gRPC by which a server says that it has failed, as one of HTTP does by a 5xx: those that
// OpenTelemetry's semantic conventions for gRPC call errors of the server's span.
var grpcFailures = []string{"DataLoss", "DeadlineExceeded", "Internal", "Unavailable", "Unimplemented", "Unknown"}

// success is the share of the requests that were answered, and not by a 5xx or one of the failures.
func (f *LoadFigures) success() float64 {
	var all, good int64
	for status, count := range f.Status {
		if all += count; status < 500 {
			good += count
		}
	}
	for code, count := range f.Codes {
		if all += count; !slices.Contains(grpcFailures, code) {
			good += count
		}
	}
	if all == 0 || f.Requests == 0 {
		return 0
	}
	return float64(good) / float64(all) * float64(f.Requests-f.Failed) / float64(f.Requests)
}

// loadQuery is a query in its parts.
type loadQuery struct {
	name, hook string
	figure     figure
}

func parseLoad(query string) (loadQuery, error) {
	if err := lintText(query); err != nil {
		return loadQuery{}, err
	}
	name, hook, _ := strings.Cut(strings.TrimSpace(query), " ")
	found, known := loadFigures[name]
	if !known {
		return loadQuery{}, fmt.Errorf("query: %q is no figure of a load; it is one of %s, and after it the name of a webhook where several make load",
			name, strings.Join(slices.Sorted(maps.Keys(loadFigures)), ", "))
	}
	return loadQuery{name: name, hook: strings.TrimSpace(hook), figure: found}, nil
}

// loadUnit returns the unit of a query.
func loadUnit(query string) string {
	q, _ := parseLoad(query) // Lint says what is wrong with it
	return q.figure.unit
}

func loadRequest(s Source, q Query) (Request, error) {
	if _, err := parseLoad(q.Text); err != nil {
		return Request{}, err
	}
	u, r, err := call(s, loadNeeds)
	if err != nil {
		return Request{}, err
	}
	r.URL = u.String()
	return r, nil
}

func loadParse(q Query, status int, body []byte) Answer {
	if a, yes := refused(status, body); yes {
		return a
	}
	a := Answer{Raw: Shown(body)}
	query, err := parseLoad(q.Text)
	if err != nil {
		a.Message, a.Lasting = err.Error(), true
		return a
	}
	var all []LoadFigures
	if err := json.Unmarshal(body, &all); err != nil {
		a.Message = "these are not the figures of a load"
		return a
	}
	if query.hook != "" {
		all = slices.DeleteFunc(all, func(f LoadFigures) bool { return f.Hook != query.hook })
	}
	switch len(all) {
	case 0:
		a.Outcome, a.Message = NoData, "no data: no load ended in this window"
		if query.hook != "" {
			a.Message = "no data: the webhook " + strconv.Quote(query.hook) + " made no load in this window"
		}
		return a
	case 1:
	default:
		a.Outcome, a.Lasting = Several, true
		a.Message = fmt.Sprintf("%d webhooks made load; name one, such as %q", len(all), query.name+" "+all[0].Hook)
		return a
	}
	value, known := query.figure.of(&all[0])
	if !known {
		a.Outcome, a.Message = NoData, "no data: no request of the load was answered, or too few to tell"
		return a
	}
	a.Outcome, a.Value = Number, value
	return a
}
