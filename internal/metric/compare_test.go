package metric_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func compared(unit string, direction canary.Direction, relative, absolute float64) metric.Check {
	return metric.Check{Name: "like-primary", Unit: unit, Interval: time.Minute, Query: "canary", Versus: &metric.Versus{
		Query: "primary", Every: 5 * time.Second, Direction: direction, Relative: relative, Absolute: absolute,
		Confidence: 0.99, Effect: 0.33, MinSamples: 8,
	}}
}

func row(values ...float64) metric.Answer { return metric.Answer{Outcome: metric.Row, Row: values} }

// some is a row of success rates, of which some are bad.
func some(bad, of int) metric.Answer {
	a := row(slices.Repeat([]float64{90}, bad)...)
	a.Row = append(a.Row, slices.Repeat([]float64{100}, of-bad)...)
	return a
}

func TestCompare(t *testing.T) {
	t.Parallel()
	fast := row(98, 99, 100, 101, 102, 103, 104, 105, 106, 107)
	slow := row(148, 149, 150, 151, 152, 153, 154, 155, 156, 157)
	bit := row(108.1, 108.2, 108.3, 108.4, 108.5, 108.6, 108.7, 108.8, 108.9, 109)
	perfect := row(100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
	ms := func(d canary.Direction) metric.Check { return compared("ms", d, 0.1, 0) }
	percent := compared("%", canary.DirectionDecrease, 0, 0.5)
	for _, c := range []struct {
		name            string
		check           metric.Check
		canary, primary metric.Answer
		verdict         rollout.Verdict
		message         string
	}{
		{"slower by half fails", ms("increase"), slow, fast, rollout.Fail,
			"like-primary: median 152.50 ms is above the primary's 102.50 ms by more than 10 % of it (p < 0.0001, Cliff's delta 1.00, large)"},
		{"faster passes", ms("increase"), fast, slow, rollout.Pass,
			"like-primary: median 102.50 ms is no worse than the primary's 152.50 ms by more than 10 % of it (p 1.0000, Cliff's delta -1.00, large)"},
		{"faster fails when either is a difference", ms("either"), fast, slow, rollout.Fail, "median 102.50 ms is below the primary's 152.50 ms"},
		{"certainly slower, but within the tolerance", ms("increase"), bit, fast, rollout.Pass, "no worse than the primary's 102.50 ms by more than 10 % of it (p < 0.0001"},
		{"one outlier is no difference", ms("increase"), row(98, 99, 100, 101, 102, 103, 104, 105, 106, 9000), fast, rollout.Pass,
			"mean 991.80 ms against the primary's 102.50 ms may be chance"},
		{"an outlier of the primary hides nothing", ms("increase"), slow, row(98, 99, 100, 101, 102, 103, 104, 105, 106, 9000), rollout.Fail, "median 152.50 ms"},
		{"nothing fails on either side", percent, perfect, perfect, rollout.Pass,
			"like-primary: median 100 % is no worse than the primary's 100 % by more than 0.5 percentage points (p 1.0000, Cliff's delta 0.00, negligible)"},
		{"failures that the median does not see", percent, some(8, 24), some(0, 24), rollout.Fail,
			"like-primary: mean 96.67 % is below the primary's 100.00 % by more than 0.5 percentage points (p 0.0019, Cliff's delta -0.33, medium)"},
		{"as many as chance alone would make", percent, some(5, 12), perfect, rollout.Pass,
			"like-primary: mean 95.83 % against the primary's 100.00 % may be chance (p 0.0186, Cliff's delta -0.42, medium)"},
		{"both fail alike", percent, row(90, 91, 92, 93, 94, 95, 96, 97), row(90, 91, 92, 93, 94, 95, 96, 97), rollout.Pass, "median 93.5 %"},
		{"too few samples of the canary", percent, row(0, 0, 0, 0, 0, 0, 0), perfect, rollout.NoData,
			"like-primary: inconclusive: 7 samples of the canary and 12 of the primary in the last 1m, at least 8 of each are asked for"},
		{"too few samples of the primary", percent, perfect, row(100), rollout.NoData, "inconclusive: 12 samples of the canary and 1 of the primary"},
		{"no requests to the canary", percent, metric.Answer{Outcome: metric.NoData}, perfect, rollout.NoData, "inconclusive: 0 samples of the canary"},
		{"an answer that is no row", percent, metric.Answer{Outcome: metric.Number, Value: 100}, perfect, rollout.Error, "like-primary: the samples of the canary: (nothing)"},
		{"a primary that cannot be asked", percent, perfect, metric.Answer{Message: "HTTP 503"}, rollout.Error, "like-primary: the samples of the primary: HTTP 503"},
		{"NaN is no sample and no pass", percent, row(math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()), perfect,
			rollout.Error, "the samples of the canary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := metric.Compare(c.check, c.canary, c.primary)
			if got.Verdict != c.verdict || !strings.Contains(got.Message, c.message) {
				t.Errorf("got %s, want %s: %s", got.Verdict, c.verdict, got.Message)
			}
			if (got.Value == nil) != (got.Verdict == rollout.NoData || got.Verdict == rollout.Error) {
				t.Errorf("verdict %s has the value %v", got.Verdict, got.Value)
			}
		})
	}
}

func TestCompareKeepsBothSamples(t *testing.T) {
	t.Parallel()
	got := metric.Compare(compared("ms", "increase", 0, 1), row(1.23456789, 2, 3, 4, 5, 6, 7, 8), row(8, 7, 6, 5, 4, 3, 2, 1)).Comparison
	if got == nil || len(got.Canary) != 8 || got.Canary[0] != 1.2346 || len(got.Primary) != 8 || got.Query != "primary" || got.Measure != "median" || got.Value != 4.5 {
		t.Errorf("got %+v", got)
	}
}

func TestBothSidesNeedEnoughRequests(t *testing.T) {
	t.Parallel()
	c := compared("%", "decrease", 0, 0)
	c.Count, c.Versus.Count, c.AtLeast = "count", "count", 50
	pass := rollout.CheckResult{Verdict: rollout.Pass}
	number := func(n float64) metric.Answer { return metric.Answer{Outcome: metric.Number, Value: n} }
	if got := metric.EnoughOfBoth(c, pass, number(50), number(50)); got.Verdict != rollout.Pass {
		t.Errorf("got %+v", got)
	}
	if got := metric.EnoughOfBoth(c, pass, number(49), number(50)); got.Verdict != rollout.NoData ||
		got.Message != "like-primary: 49 requests of the canary in the last 1m, at least 50 are asked for" {
		t.Errorf("got %+v", got)
	}
	if got := metric.EnoughOfBoth(c, pass, number(50), number(1)); got.Verdict != rollout.NoData ||
		got.Message != "like-primary: 1 request of the primary in the last 1m, at least 50 are asked for" {
		t.Errorf("got %+v", got)
	}
	if got := metric.EnoughOfBoth(c, pass, number(50), metric.Answer{Message: "HTTP 503"}); got.Verdict != rollout.Error {
		t.Errorf("got %+v", got)
	}
}
