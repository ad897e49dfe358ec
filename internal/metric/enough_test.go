package metric_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestEnough(t *testing.T) {
	t.Parallel()
	check := metric.Check{Name: "rate", Count: "sum(x)", AtLeast: 20, Interval: time.Minute, Min: ptr(99), Unit: "%"}
	number := func(v float64) metric.Answer { return metric.Answer{Outcome: metric.Number, Value: v} }
	none := metric.Answer{Outcome: metric.NoData, Message: "no data: the query answers no series"}
	for _, c := range []struct {
		name          string
		check         metric.Check
		answer, count metric.Answer
		want          rollout.Verdict
		message       string
	}{
		{"enough requests are judged", check, number(100), number(20), rollout.Pass, "rate: 100.00 % is at least 99 %"},
		{"a count that extrapolation made a fraction", check, number(100), number(19.6), rollout.Pass, "rate: 100.00 % is at least 99 %"},
		{"enough requests fail", check, number(50), number(200), rollout.Fail, "rate: 50.00 % is below the minimum of 99 %"},
		{"too few do not pass", check, number(100), number(19.4), rollout.NoData, "rate: 19 requests in the last 1m, at least 20 are asked for"},
		{"too few do not fail", check, number(0), number(3.2), rollout.NoData, "rate: 3 requests in the last 1m, at least 20 are asked for"},
		{"a single one", check, number(100), number(1), rollout.NoData, "rate: 1 request in the last 1m, at least 20 are asked for"},
		{"none", check, none, none, rollout.NoData, "rate: 0 requests in the last 1m, at least 20 are asked for"},
		{"a count below zero is none", check, number(100), number(-4), rollout.NoData, "rate: 0 requests in the last 1m, at least 20 are asked for"},
		{"a count that nobody knows", check, number(100), metric.Answer{Message: "HTTP 500: oops"}, rollout.Error, "rate: the number of requests is unknown: HTTP 500: oops"},
		{"several counts", check, number(100), metric.Answer{Outcome: metric.Several, Message: "2 series"}, rollout.Error, "rate: the number of requests is unknown: 2 series"},
		{"an error of the check itself", check, metric.Answer{Message: "HTTP 500: oops"}, number(3), rollout.Error, "rate: HTTP 500: oops"},
		{"nobody asks for a number", metric.Check{Name: "rate", Min: ptr(99), Unit: "%"}, number(100), metric.Answer{}, rollout.Pass, "rate: 100.00 % is at least 99 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := metric.Enough(c.check, metric.Judge(c.check, c.answer), c.count)
			if got.Verdict != c.want || got.Message != c.message {
				t.Errorf("got %v %q\nwant %v %q", got.Verdict, got.Message, c.want, c.message)
			}
			if judged := got.Verdict == rollout.Pass || got.Verdict == rollout.Fail; judged != (got.Value != nil) {
				t.Errorf("the value is %v", got.Value)
			}
		})
	}
}

func TestOnlyBuiltinsCountRequests(t *testing.T) {
	t.Parallel()
	in := inputs()
	in.MinRequests = 7
	checks, err := metric.Plan(podinfo(
		canary.Metric{Name: metric.SuccessRate, ThresholdRange: atLeast(99)}, canary.Metric{Name: metric.Duration, Threshold: ptr(1)},
		canary.Metric{Name: "own", Query: "x", Threshold: ptr(1)},
	), in)
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, c := range checks {
		got = append(got, c.AtLeast)
		if (c.Count != "") != (c.AtLeast > 0) {
			t.Errorf("%s counts by %q", c.Name, c.Count)
		}
	}
	if diff := cmp.Diff([]float64{7, 7, 0}, got); diff != "" {
		t.Error(diff)
	}
	golden(t, "builtin/planned-count.golden", checks[0].Count+"\n")
}
