package canary

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// comparedProviders are the metrics providers that can be asked for a row of samples.
var comparedProviders = []string{"prometheus"}

func validateComparison(v *validator, x *Comparison) {
	validateMeta(v, &x.ObjectMeta)
	if !v.src.has("spec") {
		v.missing("spec", "canaryRef and metric, or canaryRef, provider, query and primaryQuery")
		return
	}
	s := &x.Spec
	if v.required("spec.canaryRef.name", s.CanaryRef.Name, "the name of a Canary in the same files") {
		v.name("spec.canaryRef.name", s.CanaryRef.Name)
	}
	v.compared(s)
	v.oneOf("spec.direction", string(s.Direction), []string{string(DirectionIncrease), string(DirectionDecrease), string(DirectionEither)})
	v.oneOf("spec.onInconclusive", s.OnInconclusive, []string{InconclusiveFails, InconclusiveHolds})
	v.duration("spec.sampleInterval", s.SampleInterval)
	if t := s.Tolerance; t != nil {
		v.between("spec.tolerance.relative", t.Relative, 0, 100)
		v.between("spec.tolerance.absolute", t.Absolute, 0, math.MaxFloat64)
		if t.Relative == nil && t.Absolute == nil && !v.src.excused("spec.tolerance.relative") && !v.src.excused("spec.tolerance.absolute") {
			v.missing("spec.tolerance", "relative, such as 0.1 for 10 % of the primary's value, absolute, in the unit of the metric, or both")
		}
	}
	v.between("spec.confidence", s.Confidence, 0.5, 0.999999)
	v.between("spec.effectSize", s.EffectSize, 0, 1)
	if s.MinSamples != nil {
		v.within("spec.minSamples", *s.MinSamples, 2, MaxComparisonSamples)
	}
	v.reachable(s)
}

// compared checks that there is exactly one thing to compare.
func (v *validator) compared(s *ComparisonSpec) {
	v.oneOf("spec.metric", s.Metric, []string{builtinDuration, builtinSuccessRate})
	if s.Metric != "" {
		for _, own := range []struct {
			path string
			set  bool
		}{{"spec.provider", s.Provider != nil}, {"spec.query", s.Query != ""}, {"spec.primaryQuery", s.PrimaryQuery != ""}} {
			if own.set {
				v.bad(own.path, "", "is not for the builtin metric "+strconv.Quote(short(s.Metric))+", which has queries of its own; remove one of the two")
			}
		}
		return
	}
	if s.Query == "" && s.PrimaryQuery == "" && s.Provider == nil {
		v.missing("spec.metric", "request-success-rate or request-duration; or write provider, query and primaryQuery")
		return
	}
	v.required("spec.direction", string(s.Direction), "the direction in which the canary is worse: increase, decrease or either")
	if s.Tolerance == nil {
		v.missing("spec.tolerance", "how far the canary may be from the primary: relative, absolute or both; 0 is not at all")
	}
	v.comparedProvider(s.Provider)
	for _, q := range []struct{ path, text, what string }{
		{"spec.query", s.Query, "the query for the canary"}, {"spec.primaryQuery", s.PrimaryQuery, "the same query for the primary"},
	} {
		if v.required(q.path, strings.TrimSpace(q.text), q.what) {
			v.query(q.path, q.text)
		}
	}
	if s.Query != "" && s.Query == s.PrimaryQuery {
		v.bad("spec.primaryQuery", s.PrimaryQuery, "is the query for the canary again, which never differs from itself; ask for the primary")
	}
}

func (v *validator) comparedProvider(p *MetricProvider) {
	const path = "spec.provider"
	if p == nil {
		v.missing(path, "type and address, such as prometheus and http://prometheus:9090")
		return
	}
	if v.required(path+".type", p.Type, "one of "+strings.Join(comparedProviders, ", ")) && !slices.Contains(comparedProviders, p.Type) {
		v.bad(path+".type", p.Type, fmt.Sprintf("%q cannot be asked for a row of samples; allowed is %s", short(p.Type), strings.Join(comparedProviders, ", ")))
	}
	v.url(path+".address", p.Address, true)
	if p.Address == "" {
		v.missing(path+".address", "the http:// or https:// URL of the server")
	}
	v.secretRef(path, p.SecretRef)
}

// between reports a number that is not between low and high, both included.
func (v *validator) between(path string, value *float64, low, high float64) {
	if value == nil || *value >= low && *value <= high {
		return
	}
	written := strconv.FormatFloat(*value, 'g', -1, 64)
	if high == math.MaxFloat64 {
		v.bad(path, written, fmt.Sprintf("%s is below %g", written, low))
		return
	}
	v.bad(path, written, fmt.Sprintf("%s is not between %g and %g", written, low, high))
}

// reachable reports a comparison that could never find a difference: with n samples on each side, the most extreme order
// of them has the probability 1 in (2n over n), and twice that when either side may be the higher one.
func (v *validator) reachable(s *ComparisonSpec) {
	n, confidence := s.EffectiveMinSamples(), s.EffectiveConfidence()
	if n < 2 || n > MaxComparisonSamples || !(confidence >= 0.5 && confidence < 1) {
		return
	}
	least := 2
	for ; least < MaxComparisonSamples && extreme(least, s.EffectiveDirection()) > 1-confidence; least++ {
	}
	if n < least {
		v.bad("spec.minSamples", strconv.Itoa(n), fmt.Sprintf("with %d samples on each side no difference can be shown with a confidence of %g; write at least %d",
			n, confidence, least))
	}
}

func extreme(n int, d Direction) float64 {
	p := 1.0
	for i := 1; i <= n; i++ {
		p *= float64(i) / float64(n+i)
	}
	if d == DirectionEither {
		p *= 2
	}
	return p
}
