package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// newrelic asks the Insights query API, whose keys the Secrets of Flagger's users hold.
var newrelic = Provider{Needs: newrelicNeeds, Request: newrelicRequest, Parse: newrelicParse, Lint: lintNRQL}

var newrelicNeeds = Needs{
	Example: "https://insights-api.eu.newrelic.com", Address: "https://insights-api.newrelic.com",
	Keys: []string{"newrelic_account_id", "newrelic_query_key"},
}

func newrelicRequest(s Source, q Query) (Request, error) {
	u, r, err := call(s, newrelicNeeds)
	if err != nil {
		return Request{}, err
	}
	r.Header["X-Query-Key"] = []string{s.Credentials.Get("newrelic_query_key")}
	u = u.JoinPath("v1", "accounts", url.PathEscape(s.Credentials.Get("newrelic_account_id")), "query")
	window := fmt.Sprintf("SINCE %d UNTIL %d", q.from().UnixMilli(), q.Now.UnixMilli())
	ask(u, url.Values{"nrql": {strings.TrimSpace(q.Text) + " " + window}})
	r.URL = u.String()
	return r, nil
}

var (
	quotedNRQL = regexp.MustCompile("'[^']*'|`[^`]*`")
	clauseNRQL = regexp.MustCompile(`(?i)\b(SINCE|UNTIL|TIMESERIES|FACET|COMPARE\s+WITH)\b`)
)

// lintNRQL refuses the clauses that would make the answer another than one number of the window.
func lintNRQL(query string) error {
	if err := lintText(query); err != nil {
		return err
	}
	clause := clauseNRQL.FindString(quotedNRQL.ReplaceAllString(query, "''"))
	switch strings.ToUpper(clause) {
	case "":
		return nil
	case "SINCE", "UNTIL":
		return fmt.Errorf("query: leave out %s: the window of the metric's interval is added", clause)
	}
	return fmt.Errorf("query: leave out %s: it makes several numbers, and one is expected", clause)
}

type newrelicBody struct {
	Error    string             `json:"error"`
	Results  *[]json.RawMessage `json:"results"`
	Metadata struct {
		Begin int64 `json:"beginTimeMillis"`
		End   int64 `json:"endTimeMillis"`
	} `json:"metadata"`
}

func newrelicParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var b newrelicBody
	if json.Unmarshal(body, &b) != nil {
		return foreign("New Relic", body)
	}
	switch {
	case b.Error != "":
		return Answer{Lasting: true, Message: "the server refused the query: " + reason(body)}.with(body)
	case b.Results == nil:
		return foreign("New Relic", body)
	case len(*b.Results) == 0:
		return noData("the query answers no results").with(body)
	case len(*b.Results) > 1:
		return several(len(*b.Results), "select one value").with(body)
	case b.Metadata.Begin != 0 && time.UnixMilli(b.Metadata.Begin).Before(q.from()):
		return noData("the answer is of %s to %s, and the window begins at %s",
			clock(time.UnixMilli(b.Metadata.Begin)), clock(time.UnixMilli(b.Metadata.End)), clock(q.from())).with(body)
	}
	values, err := numbers((*b.Results)[0])
	switch {
	case err != nil:
		return foreign("New Relic", body)
	case len(values) != 1:
		return several(len(values), "select one value, such as one percentile").with(body)
	}
	return reading(values[0]).with(body)
}

// reading is the answer of a provider that answers one value, which may be missing.
func reading(v *float64) Answer {
	if v == nil {
		return noData("the query answers null")
	}
	return number(*v)
}

var errNumber = errors.New("not a number")

// numbers returns the values of an object whose keys depend on the query, such as {"average": 1} and {"percentiles":
// {"99": 1}}.
func numbers(object json.RawMessage) ([]*float64, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil || len(fields) == 0 {
		return nil, errNumber
	}
	var all []*float64
	for _, raw := range fields {
		var v *float64
		if json.Unmarshal(raw, &v) == nil {
			all = append(all, v)
			continue
		}
		nested, err := numbers(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, nested...)
	}
	return all, nil
}
