package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const cloudwatchQuery = `[
  {"Id": "e1", "Expression": "m1 / m2", "Label": "ErrorRate"},
  {"id": "m1", "metricStat": {"metric": {"namespace": "Shop", "metricName": "Errors",
    "dimensions": [{"name": "app", "value": "podinfo"}]}, "period": 60, "stat": "Sum", "unit": "Count"}, "returnData": false},
  {"Id": "m2", "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "Requests"}, "Period": 60, "Stat": "Sum"}, "ReturnData": false}
]`

func TestCloudWatchRequests(t *testing.T) {
	t.Parallel()
	keys := metric.Credentials{"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "hunter2"}
	session := metric.Credentials{"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "hunter2", "aws_session_token": "hunter3\n"}
	of := func(c metric.Credentials) metric.Source { return metric.Source{Region: "eu-west-1", Credentials: c} }
	requests(t, "cloudwatch", []question{
		{"region", metric.Source{Region: "eu-central-1", Credentials: keys}, minutes(2, cloudwatchQuery)},
		{"china", metric.Source{Region: "cn-north-1", Credentials: keys}, minutes(2, cloudwatchQuery)},
		{"address-and-session", metric.Source{Region: "us-gov-west-1", Address: "https://vpce-1.monitoring.us-gov-west-1.vpce.amazonaws.com", Credentials: session}, minutes(2, cloudwatchQuery)},
		{"no-secret", metric.Source{Region: "eu-central-1"}, minutes(2, cloudwatchQuery)},
		{"role", metric.Source{Region: "eu-central-1", Credentials: metric.Credentials{metric.AWSRole: "arn:aws:iam::1:role/x", metric.AWSIdentity: "hunter2"}}, minutes(2, cloudwatchQuery)},
	})
	refuses(t, "cloudwatch", map[string]refusal{
		"no region":      {metric.Source{Credentials: keys}, cloudwatchQuery, `region "" is not a region such as eu-central-1`},
		"an odd host":    {metric.Source{Region: "evil.example/", Credentials: keys}, cloudwatchQuery, `region "evil.example/" is not a region such as eu-central-1`},
		"another Secret": {of(metric.Credentials{"token": "x"}), cloudwatchQuery, "the Secret lacks aws_access_key_id, aws_secret_access_key; it must have them or aws_role_arn"},
		"half a key":     {of(metric.Credentials{metric.AWSKeyID: "x", metric.AWSRole: "r"}), cloudwatchQuery, "the Secret lacks aws_secret_access_key; it must have the keys aws_access_key_id, aws_secret_access_key"},
		"no role":        {of(metric.Credentials{metric.AWSIdentity: "x"}), cloudwatchQuery, "the Secret has aws_web_identity_token without aws_role_arn, the role that it is for"},
		"two of them": {of(metric.Credentials{metric.AWSIdentity: "x", metric.AWSRole: "r", metric.AWSKeyID: "x", metric.AWSSecret: "x"}), cloudwatchQuery,
			"the Secret has both aws_web_identity_token and keys; one of them says who asks"},
	})
	lints(t, "cloudwatch", map[string]string{
		cloudwatchQuery: "",
		"SELECT 1":      "query: it is not a JSON list of MetricDataQueries",
		"[]":            "query: it returns 0 values, one is expected",
		`[{"Id": "a"}]`: `query: [0] ("a") needs either MetricStat or Expression`,
		`[{"Id": "a", "Expression": "1"}, {"Id": "b", "Expression": "2"}]`:       "query: it returns 2 values, one is expected",
		`[{"Id": "a", "MetricStat": {"Metric": {"MetricName": "x"}}}]`:           `query: [0].MetricStat.Period ("a") is 0`,
		`[{"Id": "a", "Expression": "1", "MetricStat": {"Period": 60}, "X": 1}]`: `query: [0] ("a") needs either`,
	})
}

func TestCloudWatchAnswers(t *testing.T) {
	t.Parallel()
	two := minutes(2, cloudwatchQuery)
	answers(t, "cloudwatch", []reply{
		{"ok.json", 200, two, metric.Number, 0.5, "", false},
		{"ok.json", 200, minutes(1, cloudwatchQuery), metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 16:00:00 to 16:01:00: with points of 1m0s, the metric's interval must be at least 2m0s", false},
		{"old.json", 200, two, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"nan.json", 200, two, metric.NoData, 0, "no data: the query answers no points", false},
		{"empty.json", 200, two, metric.NoData, 0, "no data: the query answers no series", false},
		{"several.json", 200, two, metric.Several, 0, "the query answers 2 series, one is expected: set \"ReturnData\": false", true},
		{"partial.json", 200, two, metric.Unreadable, 0, "the values are not complete: PartialData", false},
		{"limited.json", 200, two, metric.Unreadable, 0, "the answer is not complete: MaxMetricsExceeded: The maximum number", false},
		{"uneven.json", 200, two, metric.Unreadable, 0, "this is not an answer of CloudWatch", false},
		{"error.json", 400, two, metric.Unreadable, 0, "the server refused the query (HTTP 400): Error in expression 'e1'", true},
		{"expired.json", 400, two, metric.Unreadable, 0, "the server wants other credentials (ExpiredTokenException); it said: The security token", false},
		{"forbidden.json", 403, two, metric.Unreadable, 0, "the server wants other credentials (AccessDeniedException); it said: User ci is not authorized", false},
		{"throttled.json", 400, two, metric.Unreadable, 0, "the server is asked too often (ThrottlingException); it said: Rate exceeded", false},
		{"unavailable.json", 503, two, metric.Unreadable, 0, "HTTP 503: try again", false},
	})
}
