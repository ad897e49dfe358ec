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

// graphite asks the render API: https://graphite.readthedocs.io/en/stable/render_api.html
var graphite = Provider{Needs: graphiteNeeds, Request: graphiteRequest, Parse: graphiteParse, Lint: lintGraphite}

var graphiteNeeds = Needs{Example: "http://graphite:8080", User: true}

func graphiteRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, graphiteNeeds)
	if err != nil {
		return Request{}, err
	}
	values, err := parseGraphite(q.Text)
	if err != nil {
		return Request{}, err
	}
	login := s.Credentials
	if len(login) > 0 {
		if err := login.need([]string{"username", "password"}); err != nil {
			return Request{}, err
		}
		login = Credentials{"username": login.Get("username"), "password": login.Get("password")}
	}
	auth, err := authorization(login, u.User)
	if err != nil {
		return Request{}, err
	}
	if auth != "" {
		r.Header["Authorization"] = []string{auth}
	}
	u.User = nil
	values.Set("format", "json")
	// Twice the window: how long a point is can only be seen from the one before it. What is older is not judged.
	values.Set("from", strconv.FormatInt(q.from().Add(-q.Interval).Unix(), 10))
	values.Set("until", strconv.FormatInt(q.Now.Unix(), 10))
	u = u.JoinPath("render")
	ask(u, values)
	r.URL = u.String()
	return r, nil
}

// parseGraphite reads a query, which is written as the parameters of the render API. A target may go over several lines.
func parseGraphite(query string) (url.Values, error) {
	if err := lintText(query); err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(strings.Join(strings.Fields(query), " "))
	switch {
	case err != nil:
		return nil, fmt.Errorf("query: it is not the query of a URL, such as target=sumSeries(a.*): %w", err)
	case len(values["target"]) != 1:
		return nil, fmt.Errorf("query: it has %d targets; one is expected, such as target=sumSeries(a.*)", len(values["target"]))
	case values.Get("target") == "":
		return nil, errors.New("query: its target is empty; it must be a series such as target=sumSeries(a.*)")
	}
	return values, nil
}

func lintGraphite(query string) error {
	_, err := parseGraphite(query)
	return err
}

type graphiteSeries struct {
	Points *[][]*float64 `json:"datapoints"`
}

func graphiteParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var series *[]graphiteSeries
	if json.Unmarshal(body, &series) != nil || series == nil {
		return foreign("Graphite", body)
	}
	switch {
	case len(*series) == 0:
		return noData("the query answers no series").with(body)
	case len(*series) > 1:
		return several(len(*series), "use sumSeries() or another function that makes one of them").with(body)
	case (*series)[0].Points == nil:
		return foreign("Graphite", body)
	}
	points := make([]point, 0, len(*(*series)[0].Points))
	for _, pair := range *(*series)[0].Points {
		if len(pair) != 2 || pair[1] == nil {
			return foreign("Graphite", body)
		}
		at := time.Unix(int64(*pair[1]), 0)
		points = append(points, point{at, at, orNaN(pair[0])})
	}
	if len(points) == 1 {
		return noData("there is one point within twice the interval of the metric, which does not tell how long it is; the interval must be longer").with(body)
	}
	for i := range points { // a point is stamped with its start, and lasts until the next
		if step := points[1].from.Sub(points[0].from); step > 0 {
			points[i].to = points[i].from.Add(step)
		}
	}
	return newest(q, points).with(body)
}
