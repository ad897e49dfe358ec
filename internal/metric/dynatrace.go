package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// dynatrace asks the metrics API, version 2: https://docs.dynatrace.com/docs/dynatrace-api/environment-api/metric-v2
var dynatrace = Provider{Needs: dynatraceNeeds, Request: dynatraceRequest, Parse: dynatraceParse, Lint: lintText}

var dynatraceNeeds = Needs{
	Example: "https://abc12345.live.dynatrace.com", Keys: []string{"dynatrace_token"}, Least: 2 * time.Minute,
}

func dynatraceRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, dynatraceNeeds)
	if err != nil {
		return Request{}, err
	}
	// Dynatrace keeps minutes, and rounds a window up to whole ones: one from before the step would be counted, and the
	// running one. So it is asked for the whole minutes within the window, as one value.
	from, to := q.from().Add(time.Minute-time.Nanosecond).Truncate(time.Minute), q.Now.Truncate(time.Minute)
	if !from.Before(to) {
		return Request{}, fmt.Errorf("the window from %s to %s holds no whole minute; the metric's interval must be at least %s",
			clock(q.from()), clock(q.Now), dynatraceNeeds.Least)
	}
	r.Header["Authorization"] = []string{"Api-Token " + s.Credentials.Get("dynatrace_token")}
	u = u.JoinPath("api", "v2", "metrics", "query")
	ask(u, url.Values{
		"metricSelector": {strings.TrimSpace(q.Text)}, "resolution": {"Inf"},
		"from": {strconv.FormatInt(from.UnixMilli(), 10)}, "to": {strconv.FormatInt(to.UnixMilli(), 10)},
	})
	r.URL = u.String()
	return r, nil
}

type dynatraceSeries struct {
	Times  []int64    `json:"timestamps"`
	Values []*float64 `json:"values"`
}

type dynatraceBody struct {
	Next   string `json:"nextPageKey"` // there are more series than fit into an answer
	Result *[]struct {
		Data []dynatraceSeries `json:"data"`
	} `json:"result"`
}

func dynatraceParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var b dynatraceBody
	if json.Unmarshal(body, &b) != nil || b.Result == nil {
		return foreign("Dynatrace", body)
	}
	var all []dynatraceSeries
	for _, metric := range *b.Result {
		all = append(all, metric.Data...)
	}
	switch {
	case len(all) == 0:
		return noData("the query answers no series").with(body)
	case len(all) > 1 || b.Next != "":
		return several(max(2, len(all)), "use :splitBy() and an aggregation").with(body)
	}
	points, err := all[0].points()
	if err != nil {
		return foreign("Dynatrace", body)
	}
	return newest(q, points).with(body)
}

var errUneven = errors.New("there are not as many times as values")

func (s dynatraceSeries) points() ([]point, error) {
	if len(s.Times) != len(s.Values) {
		return nil, errUneven
	}
	points := make([]point, len(s.Times))
	for i, ms := range s.Times {
		at := time.UnixMilli(ms)
		points[i] = point{at, at, orNaN(s.Values[i])}
	}
	return points, nil
}
