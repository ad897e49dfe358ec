package metric_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	success := metric.Check{Name: "request-success-rate", Query: "q", Min: ptr(99), Unit: "%"}
	duration := metric.Check{Name: "request-duration", Query: "q", Max: ptr(500), Unit: "ms"}
	both := metric.Check{Name: "queue", Min: ptr(-1), Max: ptr(1)}
	number := func(v float64) metric.Answer { return metric.Answer{Outcome: metric.Number, Value: v, Raw: "raw"} }
	for _, c := range []struct {
		name    string
		check   metric.Check
		answer  metric.Answer
		want    rollout.Verdict
		message string
	}{
		{"above a minimum passes", success, number(99.5), rollout.Pass, "request-success-rate: 99.50 % is at least 99 %"},
		{"at a minimum passes", success, number(99), rollout.Pass, "request-success-rate: 99.00 % is at least 99 %"},
		{"below a minimum fails", success, number(69.1734), rollout.Fail, "request-success-rate: 69.17 % is below the minimum of 99 %"},
		{"just below a minimum fails and says so", success, number(98.9999), rollout.Fail, "request-success-rate: 98.9999 % is below the minimum of 99 %"},
		{"below a maximum passes", duration, number(20), rollout.Pass, "request-duration: 20.00 ms is at most 500 ms"},
		{"at a maximum passes", duration, number(500), rollout.Pass, "request-duration: 500.00 ms is at most 500 ms"},
		{"above a maximum fails", duration, number(500.5), rollout.Fail, "request-duration: 500.50 ms is above the maximum of 500 ms"},
		{"a fraction of a millisecond counts", duration, number(500.0001), rollout.Fail, "request-duration: 500.0001 ms is above the maximum of 500 ms"},
		{"within a range passes", both, number(0), rollout.Pass, "queue: 0.00 is between -1 and 1"},
		{"below a range fails", both, number(-1.25), rollout.Fail, "queue: -1.25 is below the minimum of -1"},
		{"above a range fails", both, number(2), rollout.Fail, "queue: 2.00 is above the maximum of 1"},
		{"a small value is not shown as zero", both, number(1e-5), rollout.Pass, "queue: 1e-05 is between -1 and 1"},
		{"no data is no data", success, metric.Answer{Outcome: metric.NoData, Message: "no data: the query answers no series"}, rollout.NoData, "request-success-rate: no data: the query answers no series; at least 99 % is asked for"},
		{"several series are an error", success, metric.Answer{Outcome: metric.Several, Value: 100, Message: "the query answers 2 series"}, rollout.Error, "request-success-rate: the query answers 2 series"},
		{"an unreachable server is an error", success, metric.Answer{Message: "cannot reach http://p: connection refused"}, rollout.Error, "request-success-rate: cannot reach http://p: connection refused"},
		{"the zero answer is an error", success, metric.Answer{}, rollout.Error, "request-success-rate: there is no answer"},
		{"a value with an unknown outcome is an error", success, metric.Answer{Outcome: 9, Value: 100}, rollout.Error, "request-success-rate: there is no answer"},
		{"a number that is NaN is an error", success, number(math.NaN()), rollout.Error, "request-success-rate: NaN cannot be judged"},
		{"a number that is infinite is an error", duration, number(math.Inf(-1)), rollout.Error, "request-duration: -Inf cannot be judged"},
		{"a minimum that is NaN never passes", metric.Check{Name: "x", Min: ptr(math.NaN())}, number(1), rollout.Error, "x: 1.00 has a bound that is not a number"},
		{"a maximum that is NaN never passes", metric.Check{Name: "x", Min: ptr(0), Max: ptr(math.NaN())}, number(1), rollout.Error, "x: 1.00 has a bound that is not a number"},
		{"a check without bounds never passes", metric.Check{Name: "x"}, number(1), rollout.Error, "x: 1.00 has no bounds to be held to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := metric.Judge(c.check, c.answer)
			if got.Verdict != c.want || got.Message != c.message {
				t.Errorf("got %v %q\nwant %v %q", got.Verdict, got.Message, c.want, c.message)
			}
			if got.Query != c.check.Query || got.Raw != c.answer.Raw || got.Name != c.check.Name || got.Unit != c.check.Unit {
				t.Errorf("the question or the answer is lost: %+v", got)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Error(err)
			}
			if (got.Value != nil) != (c.answer.Outcome == metric.Number && !math.IsNaN(c.answer.Value) && !math.IsInf(c.answer.Value, 0)) {
				t.Errorf("value %v", got.Value)
			}
		})
	}
}

func TestAResultSharesNothingWithItsCheck(t *testing.T) {
	t.Parallel()
	check := metric.Check{Name: "x", Min: ptr(1), Max: ptr(2)}
	got := metric.Judge(check, metric.Answer{Outcome: metric.Number, Value: 1.5})
	*got.Min, *got.Max = 7, 8
	if diff := cmp.Diff([]float64{1, 2}, []float64{*check.Min, *check.Max}); diff != "" {
		t.Error(diff)
	}
}
