package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

// stackdriver sends a query in MQL to Google Cloud Monitoring:
// https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/query
var stackdriver = Provider{Needs: stackdriverNeeds, Request: stackdriverRequest, Parse: stackdriverParse, Lint: lintMQL}

var stackdriverNeeds = Needs{
	Example: "https://monitoring.googleapis.com", Address: "https://monitoring.googleapis.com",
	Keys: []string{"project"},
}

// The scope and the audience of Cloud Monitoring: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/query
const (
	monitoringScope    = "https://www.googleapis.com/auth/monitoring.read"
	monitoringAudience = "https://monitoring.googleapis.com/"
)

func stackdriverRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, stackdriverNeeds)
	if err != nil {
		return Request{}, err
	}
	account := s.Credentials.Get("serviceAccountKey")
	if account == "" && !ofGoogle(u) {
		return Request{}, fmt.Errorf("address %q is not one of Google's, and the run's own token is sent to no other; "+
			"put a serviceAccountKey into the Secret", u.Redacted())
	}
	body, err := json.Marshal(map[string]string{"query": q.Text})
	if err != nil {
		return Request{}, err
	}
	r.Method, r.Body = "POST", string(body)
	r.Header["Content-Type"] = []string{"application/json"}
	r.Sign.Google = &Google{Scope: monitoringScope, Audience: monitoringAudience, Account: account}
	r.URL = u.JoinPath("v3", "projects", url.PathEscape(s.Credentials.Get("project")), "timeSeries:query").String()
	return r, nil
}

func lintMQL(query string) error {
	if err := lintText(query); err != nil {
		return err
	}
	if !strings.Contains(query, "within") {
		return errors.New("query: it has no window; limit it with | within {{ interval }}")
	}
	return nil
}

type stackdriverValue struct {
	Double *googleDouble `json:"doubleValue"`
	Int    *int64        `json:"int64Value,string"`
}

// googleDouble is a number, or one of the texts that stand for what JSON has no number for:
// https://protobuf.dev/programming-guides/json/
type googleDouble float64

// UnmarshalJSON reads it.
func (d *googleDouble) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"NaN"`:
		*d = googleDouble(math.NaN())
	case `"Infinity"`:
		*d = googleDouble(math.Inf(1))
	case `"-Infinity"`:
		*d = googleDouble(math.Inf(-1))
	default:
		return json.Unmarshal(text, (*float64)(d))
	}
	return nil
}

type stackdriverPoint struct {
	Values []stackdriverValue `json:"values"`
	Time   struct {
		Start time.Time `json:"startTime"`
		End   time.Time `json:"endTime"`
	} `json:"timeInterval"`
}

type stackdriverBody struct {
	Descriptor *json.RawMessage `json:"timeSeriesDescriptor"` // also there when nothing is found
	Series     []struct {
		Points []stackdriverPoint `json:"pointData"`
	} `json:"timeSeriesData"`
	Partial []json.RawMessage `json:"partialErrors"`
	Next    string            `json:"nextPageToken"`
}

func stackdriverParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var b stackdriverBody
	if json.Unmarshal(body, &b) != nil || (b.Descriptor == nil && b.Series == nil) {
		return foreign("Cloud Monitoring", body)
	}
	switch {
	case len(b.Partial) > 0:
		return Answer{Message: "the answer is not complete: " + said(reason(b.Partial[0]))}.with(body)
	case len(b.Series) == 0:
		return noData("the query answers no series").with(body)
	case len(b.Series) > 1 || b.Next != "":
		return several(max(2, len(b.Series)), "use group_by [] and an aggregation").with(body)
	}
	points := make([]point, 0, len(b.Series[0].Points))
	for _, p := range b.Series[0].Points {
		value, ok := p.value()
		if !ok {
			return foreign("Cloud Monitoring", body)
		}
		points = append(points, p.point(q.Now, value))
	}
	return newest(q, points).with(body)
}

// point returns what a value is of. The server ends the newest at the moment of the query, by its own clock: one that ends
// a little after the window is whole all the same.
func (p stackdriverPoint) point(now time.Time, value float64) point {
	from, to := p.Time.Start, p.Time.End
	if from.IsZero() || from.After(to) {
		from = to
	}
	if late := to.Sub(now); late > 0 && late < time.Minute {
		to = now
		if from.After(to) {
			from = to
		}
	}
	return point{from, to, value}
}

// value returns the one value of a point.
func (p stackdriverPoint) value() (float64, bool) {
	if len(p.Values) != 1 || p.Time.End.IsZero() {
		return 0, false
	}
	switch v := p.Values[0]; {
	case v.Double != nil:
		return float64(*v.Double), true
	case v.Int != nil:
		return float64(*v.Int), true
	}
	return 0, false
}
