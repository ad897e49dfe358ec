package metric

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"

	"github.com/prometheus/common/model"
)

// prometheus asks the HTTP API of Prometheus, and of what speaks it too: Thanos, Mimir, Cortex, VictoriaMetrics.
var prometheus = Provider{
	Needs: prometheusNeeds, Rows: true,
	Request: prometheusRequest, Parse: prometheusParse, Lint: lintPromQL,
	Clues: promQLClues, Names: prometheusNames, ParseNames: prometheusParseNames,
}

var prometheusNeeds = Needs{Example: "http://prometheus:9090", User: true}

// maxQueryURL is the length of a query string that every proxy on the way accepts. Longer ones are sent as a form.
const maxQueryURL = 4 << 10

func prometheusRequest(s Source, q Query) (Request, error) {
	if q.Every > 0 {
		return prometheusRange(s, q)
	}
	// No time is sent: the server's own clock is the one that its samples were stamped with.
	return prometheusCall(s, url.Values{"query": {q.Text}}, "query")
}

// prometheusCall makes the request for a path of the API.
func prometheusCall(s Source, values url.Values, path ...string) (Request, error) {
	u, r, err := call(s, prometheusNeeds)
	if err != nil {
		return Request{}, err
	}
	auth, err := authorization(s.Credentials, u.User)
	if err != nil {
		return Request{}, err
	}
	if auth != "" {
		r.Header["Authorization"] = []string{auth}
	}
	u.User = nil // it is in the header now, so that no error message can show it
	u = u.JoinPath("api", "v1").JoinPath(path...)
	form := values.Encode()
	if len(form) > maxQueryURL {
		r.Method, r.Body = "POST", form
		r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	} else if u.RawQuery != "" {
		u.RawQuery += "&" + form
	} else {
		u.RawQuery = form
	}
	r.URL = u.String()
	return r, nil
}

// authorization prefers the Secret to the user in the URL, and a token to a password, as Flagger does.
func authorization(c Credentials, user *url.Userinfo) (string, error) {
	if token := strings.TrimSpace(c["token"]); token != "" {
		return "Bearer " + token, nil
	}
	name, password := c["username"], c["password"]
	switch {
	case len(c) == 0 && user != nil:
		name = user.Username()
		password, _ = user.Password()
	case len(c) == 0:
		return "", nil
	case name == "" || password == "":
		return "", errors.New("the Secret has neither the key token nor both username and password")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password)), nil
}

// prometheusBody is the envelope of every answer.
type prometheusBody struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	Partial   bool     `json:"isPartial"` // VictoriaMetrics: some of its storage did not answer
	Data      struct {
		Type   model.ValueType `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// missing says what a server leaves out of an answer: stores of Thanos that did not answer and remote storage that could
// not be read are warnings. Those about the query itself, which PromQL's own engine adds, say nothing of the data.
func (b *prometheusBody) missing() string {
	for _, w := range b.Warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return Shown([]byte(w))
		}
	}
	if b.Partial {
		return "some storage nodes did not answer"
	}
	return ""
}

func prometheusParse(q Query, status int, body []byte) Answer {
	raw := Shown(body)
	var b prometheusBody
	err := json.Unmarshal(body, &b)
	switch {
	case err == nil && b.Status == "error":
		return Answer{
			Raw: raw, Lasting: b.ErrorType == "bad_data",
			Message: fmt.Sprintf("the server refused the query (%s, HTTP %d): %s", b.ErrorType, status, Shown([]byte(b.Error))),
		}
	case status == 401 || status == 403:
		return Answer{Raw: raw, Message: fmt.Sprintf("HTTP %d: the server wants other credentials; it said: %s", status, said(raw))}
	case status == 429:
		return Answer{Raw: raw, Message: "HTTP 429: the server is asked too often; it said: " + said(raw)}
	case status < 200 || status > 299:
		return Answer{Raw: raw, Message: fmt.Sprintf("HTTP %d: %s", status, said(raw))}
	case err != nil || b.Status != "success":
		return Answer{Raw: raw, Message: "this is not an answer of Prometheus: " + said(raw)}
	case b.missing() != "":
		return Answer{Raw: raw, Message: "the answer is not complete: " + b.missing()}
	}
	a := prometheusResult(b.Data.Type, b.Data.Result)
	if q.Every > 0 {
		a = prometheusRow(b.Data.Type, b.Data.Result)
	}
	a.Raw = raw
	if a.Outcome == Unreadable && a.Message == "" {
		a.Message = fmt.Sprintf("the %s in the answer cannot be read: %s", b.Data.Type, said(raw))
	}
	return a
}

func said(raw string) string {
	if raw == "" {
		return "(nothing)"
	}
	return raw
}

func prometheusResult(kind model.ValueType, result json.RawMessage) Answer {
	switch kind {
	case model.ValScalar:
		var s model.Scalar
		if !pair(result) || json.Unmarshal(result, &s) != nil {
			return Answer{}
		}
		return number(float64(s.Value))
	case model.ValVector:
		var v model.Vector
		if json.Unmarshal(result, &v) != nil || !complete(result) {
			return Answer{}
		}
		return vector(v)
	case model.ValMatrix:
		return Answer{Lasting: true, Message: "the query answers a range of samples for each series; one number is expected: use rate(), increase() or an _over_time() function"}
	case model.ValString:
		return Answer{Lasting: true, Message: "the query answers a text; one number is expected"}
	case model.ValNone:
	}
	return Answer{Message: fmt.Sprintf("the query answers a result of type %q; a scalar or a vector is expected", Shown([]byte(kind.String())))}
}

// complete reports whether every series of a vector has a value. To the model, one that is left out is zero, and zero is a
// fine error rate.
func complete(result json.RawMessage) bool {
	var series []struct {
		Value     json.RawMessage `json:"value"`
		Histogram json.RawMessage `json:"histogram"`
	}
	if json.Unmarshal(result, &series) != nil {
		return false
	}
	for _, s := range series {
		if !pair(s.Value) && !pair(s.Histogram) {
			return false
		}
	}
	return true
}

// pair reports whether a sample has both its time and its value.
func pair(sample json.RawMessage) bool {
	var both []json.RawMessage
	return json.Unmarshal(sample, &both) == nil && len(both) == 2
}

func vector(v model.Vector) Answer {
	switch {
	case len(v) == 0:
		return Answer{Outcome: NoData, Message: "no data: the query answers no series"}
	case len(v) > 1:
		names := make([]string, 0, 3)
		for _, s := range v[:min(len(v), cap(names))] {
			names = append(names, Shown([]byte(s.Metric.String())))
		}
		return Answer{Outcome: Several, Lasting: true, Message: fmt.Sprintf(
			"the query answers %d series, one is expected: use sum() or another aggregation; the first are %s", len(v), strings.Join(names, ", "))}
	case v[0] == nil:
		return Answer{}
	case v[0].Histogram != nil:
		return Answer{Lasting: true, Message: "the query answers a histogram; one number is expected: use histogram_quantile()"}
	}
	return number(float64(v[0].Value))
}

func number(v float64) Answer {
	switch {
	case math.IsNaN(v):
		return Answer{Outcome: NoData, Message: "no data: the query answers NaN, as a division by zero requests does"}
	case math.IsInf(v, 0):
		return Answer{Message: fmt.Sprintf("the query answers %v, which cannot be judged: something was divided by zero", v)}
	}
	return Answer{Outcome: Number, Value: v}
}
