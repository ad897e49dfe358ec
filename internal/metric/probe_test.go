package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAProbePassesWhateverTheValue(t *testing.T) {
	t.Parallel()
	check := metric.Check{Name: "rate", Min: ptr(99), Unit: "%"}
	for _, c := range []struct {
		name    string
		answer  metric.Answer
		want    rollout.Verdict
		message string
	}{
		{"within the bounds", metric.Answer{Outcome: metric.Number, Value: 99.5}, rollout.Pass, "rate: can be asked; 99.50 % now"},
		{"outside", metric.Answer{Outcome: metric.Number, Value: 97.2}, rollout.Pass, "rate: can be asked; 97.20 % now"},
		{"no data", metric.Answer{Outcome: metric.NoData, Message: "no data"}, rollout.NoData, "rate: no data; at least 99 % is asked for"},
		{"several", metric.Answer{Outcome: metric.Several, Message: "2 series"}, rollout.Error, "rate: 2 series"},
		{"an error", metric.Answer{Message: "HTTP 500"}, rollout.Error, "rate: HTTP 500"},
		{"nothing", metric.Answer{}, rollout.Error, "rate: there is no answer"},
	} {
		if got := metric.JudgeProbe(check, c.answer); got.Verdict != c.want || got.Message != c.message {
			t.Errorf("%s: got %v %q", c.name, got.Verdict, got.Message)
		} else if got.Verdict == rollout.Pass && (got.Min != nil || got.Value == nil) {
			t.Errorf("%s: it says that %v was held to %v", c.name, got.Value, got.Min)
		}
	}
	none := rollout.CheckResult{Name: "rate", Verdict: rollout.NoData, Message: "rate: no data", Min: ptr(99)}
	for _, c := range []struct {
		name    string
		got     rollout.CheckResult
		want    rollout.Verdict
		message string
	}{
		{"no traffic yet", metric.Expected(none, ""), rollout.Pass, "rate: no data yet, which is expected before there is traffic"},
		{"with a note", metric.Expected(none, "n"), rollout.Pass, "rate: no data yet, which is expected before there is traffic (n)"},
		{"missing", metric.Missing(none, "no x", false), rollout.NoData, "rate: no x"},
		{"missing until a hook makes it", metric.Missing(none, "no x", true), rollout.Pass, "rate: no data yet, which is expected before there is traffic (warning: no x)"},
	} {
		if c.got.Verdict != c.want || c.got.Message != c.message {
			t.Errorf("%s: got %v %q", c.name, c.got.Verdict, c.got.Message)
		}
	}
}
