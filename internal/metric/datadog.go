package metric

import (
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// datadog asks for the points of a timeseries query: https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points
var datadog = Provider{Needs: datadogNeeds, Request: datadogRequest, Parse: datadogParse, Pause: datadogPause, Lint: lintText}

var datadogNeeds = Needs{
	Example: "https://api.datadoghq.eu", Address: "https://api.datadoghq.com",
	Keys: []string{"datadog_api_key", "datadog_application_key"},
}

func datadogRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, datadogNeeds)
	if err != nil {
		return Request{}, err
	}
	r.Header["Dd-Api-Key"] = []string{s.Credentials.Get("datadog_api_key")}
	r.Header["Dd-Application-Key"] = []string{s.Credentials.Get("datadog_application_key")}
	u = u.JoinPath("api", "v1", "query")
	ask(u, url.Values{
		"query": {strings.TrimSpace(q.Text)},
		"from":  {strconv.FormatInt(q.from().Unix(), 10)},
		"to":    {strconv.FormatInt(q.Now.Unix(), 10)},
	})
	r.URL = u.String()
	return r, nil
}

type datadogBody struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Series *[]struct {
		Interval int64        `json:"interval"` // seconds that each point is a value of
		Points   [][]*float64 `json:"pointlist"`
	} `json:"series"`
}

func datadogParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var b datadogBody
	if json.Unmarshal(body, &b) != nil {
		return foreign("Datadog", body)
	}
	switch {
	case b.Status == "error": // Datadog says so with HTTP 200
		return Answer{Lasting: true, Message: "the server refused the query: " + reason(body)}.with(body)
	case b.Status != "ok" || b.Series == nil:
		return foreign("Datadog", body)
	case len(*b.Series) == 0:
		return noData("the query answers no series").with(body)
	case len(*b.Series) > 1:
		return several(len(*b.Series), "leave out \"by\", or sum() them").with(body)
	}
	series := (*b.Series)[0]
	points := make([]point, 0, len(series.Points))
	for _, pair := range series.Points {
		if len(pair) != 2 || pair[0] == nil || series.Interval <= 0 {
			return foreign("Datadog", body)
		}
		// A point is stamped with the start of its interval.
		at := time.UnixMilli(int64(*pair[0]))
		points = append(points, point{at, at.Add(time.Duration(series.Interval) * time.Second), orNaN(pair[1])})
	}
	return newest(q, points).with(body)
}

// datadogPause reads the seconds until the limit is reset: https://docs.datadoghq.com/api/latest/rate-limits/
func datadogPause(header map[string][]string) time.Duration {
	values := header["X-Ratelimit-Reset"]
	if len(values) == 0 {
		return 0
	}
	seconds, err := strconv.Atoi(values[0])
	if err != nil || seconds < 0 || seconds > 24*3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// orNaN makes a value that is missing one that is never a pass.
func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
