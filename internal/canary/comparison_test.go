package canary_test

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestAComparisonIsThatOfTheCanaryThatItNames(t *testing.T) {
	t.Parallel()
	set, err := canary.Parse(load(t, "good/comparison.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := set.ComparisonsOf(set.Canaries[0])
	if len(got) != 2 || got[0].Name != "errors-like-primary" || got[1].Spec.OnInconclusive != canary.InconclusiveHolds {
		t.Errorf("the comparisons of the canary are %v", got)
	}
	other := set.Canaries[0]
	other.Namespace = "elsewhere"
	if got := set.ComparisonsOf(other); len(got) != 0 {
		t.Errorf("a canary of another namespace has %v", got)
	}
	if file, line := set.Origin(got[0]); file != "comparison.yaml" || line != 16 {
		t.Errorf("the first is at %s:%d", file, line)
	}
}

func TestAComparisonHasDefaults(t *testing.T) {
	t.Parallel()
	s := &canary.ComparisonSpec{Metric: "request-success-rate"}
	relative, absolute := s.EffectiveTolerance()
	if s.EffectiveDirection() != canary.DirectionDecrease || relative != 0 || absolute != 0.5 {
		t.Errorf("a rate of success may %s by %g or %g", s.EffectiveDirection(), relative, absolute)
	}
	s.Metric = "request-duration"
	relative, absolute = s.EffectiveTolerance()
	if s.EffectiveDirection() != canary.DirectionIncrease || relative != 0.1 || absolute != 0 {
		t.Errorf("a duration may %s by %g or %g", s.EffectiveDirection(), relative, absolute)
	}
	if got := s.EffectiveSampleInterval(time.Minute); got != 5*time.Second {
		t.Errorf("a minute is cut in samples of %s", got)
	}
	if got := s.EffectiveSampleInterval(100 * time.Millisecond); got != 8*time.Millisecond {
		t.Errorf("100ms are cut in samples of %s", got)
	}
	if s.EffectiveConfidence() != 0.99 || s.EffectiveEffectSize() != 0.33 || s.EffectiveMinSamples() != 8 {
		t.Error("other defaults than the documented ones")
	}
}
