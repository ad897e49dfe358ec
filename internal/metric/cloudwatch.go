package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

// cloudwatch asks GetMetricData: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
var cloudwatch = Provider{
	Needs: cloudwatchNeeds, Request: cloudwatchRequest, Parse: cloudwatchParse,
	Lint: func(query string) error { _, err := parseCloudwatch(query); return err },
}

var cloudwatchNeeds = Needs{
	Example: "https://monitoring.eu-central-1.amazonaws.com", Address: "https://monitoring.amazonaws.com",
	Region: true,
}

// awsRegion also keeps a region from becoming another host.
var awsRegion = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)

// cloudwatchQuery is one metric or expression of a query. Its fields are read whatever their case, as the SDK does.
type cloudwatchQuery struct {
	ID         string          `json:"Id"`
	Expression string          `json:",omitempty"`
	Label      string          `json:",omitempty"`
	AccountID  string          `json:"AccountId,omitempty"`
	MetricStat *cloudwatchStat `json:",omitempty"`
	Period     int64           `json:",omitempty"`
	ReturnData *bool           `json:",omitempty"`
}

type cloudwatchStat struct {
	Metric struct {
		Namespace  string                         `json:",omitempty"`
		MetricName string                         `json:",omitempty"`
		Dimensions []struct{ Name, Value string } `json:",omitempty"`
	}
	Period int64
	Stat   string
	Unit   string `json:",omitempty"`
}

func parseCloudwatch(query string) ([]cloudwatchQuery, error) {
	if err := lintText(query); err != nil {
		return nil, err
	}
	var all []cloudwatchQuery
	if err := json.Unmarshal([]byte(query), &all); err != nil {
		return nil, fmt.Errorf("query: it is not a JSON list of MetricDataQueries: %w", err)
	}
	returned := 0
	var problems []error
	for i, one := range all {
		if (one.MetricStat == nil) == (one.Expression == "") {
			problems = append(problems, fmt.Errorf("query: [%d] (%q) needs either MetricStat or Expression", i, one.ID))
		}
		if one.MetricStat != nil && one.MetricStat.Period <= 0 {
			problems = append(problems, fmt.Errorf("query: [%d].MetricStat.Period (%q) is %d; it must be the seconds of a point, such as 60", i, one.ID, one.MetricStat.Period))
		}
		if one.ReturnData == nil || *one.ReturnData {
			returned++
		}
	}
	if returned != 1 {
		problems = append(problems, fmt.Errorf("query: it returns %d values, one is expected: set \"ReturnData\": false for the others", returned))
	}
	return all, errors.Join(problems...)
}

// period is how long the points of a query are: as long as the longest that is in it.
func period(all []cloudwatchQuery) time.Duration {
	longest := int64(0)
	for _, one := range all {
		longest = max(longest, one.Period)
		if one.MetricStat != nil {
			longest = max(longest, one.MetricStat.Period)
		}
	}
	return time.Duration(longest) * time.Second
}

func cloudwatchRequest(s Source, q Query) (Request, error) {
	queries, err := parseCloudwatch(q.Text)
	if err != nil {
		return Request{}, err
	}
	if !awsRegion.MatchString(s.Region) {
		return Request{}, fmt.Errorf("region %q is not a region such as eu-central-1", s.Region)
	}
	if err := awsLogin(s.Credentials); err != nil {
		return Request{}, err
	}
	if s.Address == "" {
		s.Address = "https://monitoring." + s.Region + ".amazonaws.com"
		if strings.HasPrefix(s.Region, "cn-") {
			s.Address += ".cn"
		}
	}
	u, r, err := call(s, cloudwatchNeeds)
	if err != nil {
		return Request{}, err
	}
	body, err := json.Marshal(map[string]any{
		"StartTime": q.from().Unix(), "EndTime": q.Now.Unix(), "ScanBy": "TimestampDescending", "MetricDataQueries": queries,
	})
	if err != nil {
		return Request{}, err
	}
	u = u.JoinPath("/")
	r.Method, r.URL, r.Body = "POST", u.String(), string(body)
	r.Header["Content-Type"] = []string{"application/x-amz-json-1.0"}
	r.Header["X-Amz-Target"] = []string{"GraniteServiceVersion20100801.GetMetricData"}
	r.Sign.AWS = &AWS{Region: s.Region, Service: "monitoring", Login: s.Credentials}
	return r, nil
}

type cloudwatchResult struct {
	Status string    `json:"StatusCode"`
	Times  []float64 `json:"Timestamps"` // seconds
	Values []float64
}

type cloudwatchBody struct {
	Results  *[]cloudwatchResult            `json:"MetricDataResults"`
	Messages []struct{ Code, Value string } // why the whole operation was done in part only, such as MaxMetricsExceeded
}

func cloudwatchParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return cloudwatchRefused(a, body)
	}
	var b cloudwatchBody
	if json.Unmarshal(body, &b) != nil || b.Results == nil {
		return foreign("CloudWatch", body)
	}
	switch results := *b.Results; {
	case len(b.Messages) > 0:
		m := b.Messages[0]
		return Answer{Message: "the answer is not complete: " + Shown([]byte(m.Code+": "+m.Value))}.with(body)
	case len(results) == 0:
		return noData("the query answers no series").with(body)
	case len(results) > 1:
		return several(len(results), `set "ReturnData": false for the others`).with(body)
	}
	one := (*b.Results)[0]
	if one.Status != "Complete" {
		return Answer{Message: "the values are not complete: " + said(Shown([]byte(one.Status)))}.with(body)
	}
	if len(one.Times) != len(one.Values) {
		return foreign("CloudWatch", body)
	}
	queries, err := parseCloudwatch(q.Text)
	length := period(queries)
	if err != nil || length == 0 {
		length = time.Minute // an expression without a metric, such as SEARCH(): the shortest that is usual
	}
	points := make([]point, len(one.Times))
	for i, seconds := range one.Times {
		at := time.UnixMilli(int64(math.Round(seconds * 1000)))
		points[i] = point{at, at.Add(length), one.Values[i]} // a point is stamped with its start
	}
	return newest(q, points).with(body)
}

// cloudwatchRefused tells apart what AWS answers with HTTP 400 all the same: throttling and credentials pass or are
// replaced, a query that is wrong stays so.
func cloudwatchRefused(a Answer, body []byte) Answer {
	var e struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(body, &e) // without a type it is what its status says
	_, kind, named := strings.Cut(e.Type, "#")
	if !named {
		kind = e.Type
	}
	switch kind {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException", "LimitExceededFault":
		a.Lasting, a.Message = false, "the server is asked too often ("+kind+"); it said: "+said(reason(body))
	case "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException",
		"SignatureDoesNotMatch", "AccessDenied", "AccessDeniedException", "IncompleteSignature", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "RequestExpired":
		a.Lasting, a.Message = false, "the server wants other credentials ("+kind+"); it said: "+said(reason(body))
	case "InternalServiceFault", "InternalFailure", "ServiceUnavailable":
		a.Lasting = false
	}
	return a
}
