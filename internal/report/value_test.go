package report

import (
	"math"
	"testing"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestValuesAndThresholds(t *testing.T) {
	t.Parallel()
	p := func(v float64) *float64 { return &v }
	tests := []struct {
		name         string
		check        rollout.CheckResult
		value, bound string
	}{
		{"a percentage", rollout.CheckResult{Value: p(99.826), Min: p(99), Unit: "%"}, "99.83%", ">= 99%"},
		{"nearly all is not all", rollout.CheckResult{Value: p(99.9963), Min: p(99), Unit: "%"}, "99.9963%", ">= 99%"},
		{"all is all", rollout.CheckResult{Value: p(100), Min: p(99.95), Unit: "%"}, "100%", ">= 99.95%"},
		{"a value just below its bound", rollout.CheckResult{Value: p(98.9999), Min: p(99), Unit: "%"}, "98.9999%", ">= 99%"},
		{"milliseconds are whole", rollout.CheckResult{Value: p(84.93), Max: p(500), Unit: "ms"}, "85ms", "<= 500ms"},
		{"but not when they would hide a failure", rollout.CheckResult{Value: p(500.4), Max: p(500), Unit: "ms"}, "500.4ms", "<= 500ms"},
		{"short ones keep their decimals", rollout.CheckResult{Value: p(0.0042), Max: p(0.5), Unit: "ms"}, "0.0042ms", "<= 0.5ms"},
		{"a range", rollout.CheckResult{Value: p(3), Min: p(1), Max: p(5.5)}, "3", "1 to 5.5"},
		{"another unit", rollout.CheckResult{Value: p(1234.5), Max: p(2000), Unit: "req/s"}, "1234 req/s", "<= 2000 req/s"},
		{"a huge value", rollout.CheckResult{Value: p(123456789), Max: p(1000000)}, "1.23e+08", "<= 1000000"},
		{"not a number", rollout.CheckResult{Value: p(math.NaN()), Verdict: rollout.NoData}, "NaN", ""},
		{"no data", rollout.CheckResult{Verdict: rollout.NoData, Min: p(99)}, "no data", ">= 99"},
		{"not asked yet", rollout.CheckResult{}, "-", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := valueText(&test.check); got != test.value {
				t.Errorf("value %q, want %q", got, test.value)
			}
			if got := (Look{ASCII: true}).thresholdText(&test.check); got != test.bound {
				t.Errorf("threshold %q, want %q", got, test.bound)
			}
		})
	}
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	p := func(v float64) *float64 { return &v }
	values := []*float64{p(0), p(50), nil, p(100), p(math.NaN())}
	if got := (Look{}).sparkline(values, &rollout.CheckResult{}); got != "▁▄?█?" {
		t.Errorf("got %q", got)
	}
	if got := (Look{}).sparkline([]*float64{p(1), p(1)}, &rollout.CheckResult{}); got != "▅▅" {
		t.Errorf("equal values without a bound: %q", got)
	}
	if got := (Look{}).sparkline([]*float64{p(1)}, &rollout.CheckResult{Max: p(math.Inf(1))}); got != "▅" {
		t.Errorf("an infinite bound: %q", got)
	}
}
