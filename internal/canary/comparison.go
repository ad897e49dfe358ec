package canary

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ComparisonVersion is the API version of a Comparison. There is nothing to install for it: it is read from files.
const ComparisonVersion = "penstock.dev/v1alpha1"

// What a Comparison leaves out.
const (
	// DefaultConfidence is stricter than the 0.95 of textbooks, for a rollout looks many times: ten windows at 0.95 would
	// find a difference that is not there in four of ten healthy rollouts, were the effect size and the tolerance not held
	// to as well.
	DefaultConfidence = 0.99
	DefaultEffectSize = 0.33 // of Cliff's delta; "medium" to Romano et al., "Appropriate statistics for ordinal level data", 2006
	DefaultMinSamples = 8    // on each side
	DefaultSamples    = 12   // in which a window is cut when there is no sampleInterval

	// MaxComparisonSamples bounds what is kept of a window, for the record of a rollout lives in a ConfigMap.
	MaxComparisonSamples = 60
)

// Direction says which difference from the primary is a failure.
type Direction string

// The directions.
const (
	DirectionIncrease Direction = "increase"
	DirectionDecrease Direction = "decrease"
	DirectionEither   Direction = "either"
)

// What a comparison without enough samples does. It never passes.
const (
	InconclusiveFails = "fail"
	InconclusiveHolds = "hold"
)

// Comparison is a penstock.dev/v1alpha1 Comparison: a check that holds the canary to the primary in the same window
// instead of to a fixed bound. It names its canary, so that the Canary itself stays what Flagger reads.
type Comparison struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ComparisonSpec `json:"spec"`
}

// ComparisonSpec says what is compared, and what counts as a difference.
type ComparisonSpec struct {
	CanaryRef CanaryRef `json:"canaryRef"`

	// Metric is a builtin one, request-success-rate or request-duration. Without it, Provider, Query and PrimaryQuery say
	// what is asked.
	Metric       string          `json:"metric,omitempty"`
	Provider     *MetricProvider `json:"provider,omitempty"`
	Query        string          `json:"query,omitempty"`
	PrimaryQuery string          `json:"primaryQuery,omitempty"`

	Replaces       string     `json:"replaces,omitempty"` // a metric of the canary whose fixed bounds are not held to
	Direction      Direction  `json:"direction,omitempty"`
	Tolerance      *Tolerance `json:"tolerance,omitempty"`
	Confidence     *float64   `json:"confidence,omitempty"` // 0.5 to below 1
	EffectSize     *float64   `json:"effectSize,omitempty"` // Cliff's delta, 0 to 1
	MinSamples     *int       `json:"minSamples,omitempty"` // on each side
	SampleInterval string     `json:"sampleInterval,omitempty"`
	OnInconclusive string     `json:"onInconclusive,omitempty"` // fail or hold
}

// CanaryRef names a Canary in the namespace of what refers to it.
type CanaryRef struct {
	Name string `json:"name"`
}

// Tolerance is how far the canary may be from the primary. Of two, the larger counts.
type Tolerance struct {
	Relative *float64 `json:"relative,omitempty"` // share of the primary's value: 0.1 is 10 %
	Absolute *float64 `json:"absolute,omitempty"` // in the unit of the metric
}

// The builtin metrics that can be compared.
const (
	builtinSuccessRate = "request-success-rate"
	builtinDuration    = "request-duration"
)

// EffectiveDirection is the one that is written, or the one in which a builtin metric gets worse.
func (s *ComparisonSpec) EffectiveDirection() Direction {
	switch {
	case s.Direction != "":
		return s.Direction
	case s.Metric == builtinSuccessRate:
		return DirectionDecrease
	case s.Metric == builtinDuration:
		return DirectionIncrease
	}
	return DirectionEither
}

// EffectiveTolerance is the one that is written; else half a percentage point of the rate of success, or a tenth of the
// primary's duration.
func (s *ComparisonSpec) EffectiveTolerance() (relative, absolute float64) {
	if t := s.Tolerance; t != nil {
		return pointed(t.Relative, 0), pointed(t.Absolute, 0)
	}
	switch s.Metric {
	case builtinSuccessRate:
		return 0, 0.5
	case builtinDuration:
		return 0.1, 0
	}
	return 0, 0
}

// EffectiveConfidence is 1 minus the largest p that is still a difference.
func (s *ComparisonSpec) EffectiveConfidence() float64 {
	return pointed(s.Confidence, DefaultConfidence)
}

// EffectiveEffectSize is the smallest Cliff's delta that is still a difference.
func (s *ComparisonSpec) EffectiveEffectSize() float64 {
	return pointed(s.EffectSize, DefaultEffectSize)
}

// EffectiveMinSamples is how many samples each side needs.
func (s *ComparisonSpec) EffectiveMinSamples() int { return pointerOr(s.MinSamples, DefaultMinSamples) }

// EffectiveSampleInterval is the time that one sample is of, in a window of the given length: in whole milliseconds, which
// is as fine as PromQL is.
func (s *ComparisonSpec) EffectiveSampleInterval(window time.Duration) time.Duration {
	return durationOr(s.SampleInterval, max(window/DefaultSamples, time.Millisecond)).Truncate(time.Millisecond)
}

func pointed(v *float64, fallback float64) float64 {
	if v != nil {
		return *v
	}
	return fallback
}

// ComparisonsOf returns the comparisons of a canary, in the order of the files.
func (s *Set) ComparisonsOf(c *Canary) []*Comparison {
	var found []*Comparison
	for _, x := range s.Comparisons {
		if x.of(c) {
			found = append(found, x)
		}
	}
	return found
}

// of reports whether the comparison is the canary's. An empty namespace is the run's, whatever it is.
func (x *Comparison) of(c *Canary) bool {
	return x.Spec.CanaryRef.Name == c.Name && (x.Namespace == c.Namespace || x.Namespace == "" || c.Namespace == "")
}
