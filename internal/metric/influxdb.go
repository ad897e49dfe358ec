package metric

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
)

// influxdb sends a Flux query: https://docs.influxdata.com/influxdb/v2/api/#operation/PostQuery
var influxdb = Provider{Needs: influxNeeds, Request: influxRequest, Parse: influxParse, Lint: lintFlux}

var influxNeeds = Needs{Example: "http://influxdb:8086"}

func influxRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, influxNeeds)
	if err != nil {
		return Request{}, err
	}
	if len(s.Credentials) > 0 {
		if err := s.Credentials.need([]string{"org", "token"}); err != nil {
			return Request{}, err
		}
		r.Header["Authorization"] = []string{"Token " + s.Credentials.Get("token")}
		ask(u, url.Values{"org": {s.Credentials.Get("org")}})
	}
	// With now, range(start: -1m) is the window that is judged, whenever the query gets there.
	body, err := json.Marshal(map[string]any{
		"type": "flux", "query": q.Text, "now": q.Now.UTC().Format(time.RFC3339Nano),
		"dialect": map[string]any{"header": true, "delimiter": ",", "annotations": []string{"datatype", "group", "default"}},
	})
	if err != nil {
		return Request{}, err
	}
	r.Method, r.Body = "POST", string(body)
	r.Header["Accept"] = []string{"application/csv"}
	r.Header["Content-Type"] = []string{"application/json"}
	r.URL = u.JoinPath("api", "v2", "query").String()
	return r, nil
}

func lintFlux(query string) error {
	if err := lintText(query); err != nil {
		return err
	}
	if !strings.Contains(query, "range") {
		return errors.New("query: it has no range(); limit it to the window with range(start: -{{ interval }})")
	}
	return nil
}

func influxParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	series, err := parseFluxCSV(body)
	var failed fluxError
	switch {
	case errors.As(err, &failed): // it came after the server had begun to answer
		return Answer{Message: "the query failed: " + said(Shown([]byte(failed)))}.with(body)
	case err != nil:
		return foreign("InfluxDB", body)
	case len(series) == 0:
		return noData("the query answers no series").with(body)
	case len(series) > 1:
		return several(len(series), "use group() and an aggregate such as sum()").with(body)
	}
	if first := series[0][0]; first.aggregate && first.from.Before(q.from()) {
		return noData("the value is of %s to %s, and the window begins at %s; use range(start: -{{ interval }})",
			clock(first.from), clock(first.to), clock(q.from())).with(body)
	}
	return newest(q, finished(series[0])).with(body)
}

// finished returns the points of a table. aggregateWindow() cuts its last window off where the range ends, so that a row
// stamped with that very end is a whole one only when it is as far from its predecessor as that from its own.
func finished(rows []fluxRow) []point {
	n := len(rows)
	if n > 1 && rows[n-1].to.Equal(rows[n-1].stop) {
		gap := rows[n-1].to.Sub(rows[n-2].to)
		if n == 2 || gap < rows[n-2].to.Sub(rows[n-3].to) {
			rows = rows[:n-1]
		}
	}
	points := make([]point, len(rows))
	for i, r := range rows {
		points[i] = r.point
	}
	return points
}
