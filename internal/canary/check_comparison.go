package canary

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkComparisons reports what is wrong between the comparisons and their canaries.
func (s *Set) checkComparisons(out *problems) {
	for _, x := range s.Comparisons {
		if x.Spec.CanaryRef.Name == "" {
			continue
		}
		i := slices.IndexFunc(s.Canaries, x.of)
		if i < 0 {
			s.clash(out, x, "spec.canaryRef.name", x.Spec.CanaryRef.Name, s.noCanary(x))
			continue
		}
		if s.Canaries[i].Spec.Analysis != nil {
			s.checkComparison(out, x, s.Canaries[i])
		}
	}
}

func (s *Set) noCanary(x *Comparison) string {
	wanted := slash(x.Namespace, x.Spec.CanaryRef.Name)
	var names []string
	for _, c := range s.Canaries {
		names = append(names, slash(c.Namespace, c.Name))
	}
	if len(names) == 0 {
		return fmt.Sprintf("there is no Canary %q in the files; a comparison is read together with its canary", wanted)
	}
	return fmt.Sprintf("there is no Canary %q in the files; there are %s%s", wanted, strings.Join(names, ", "), didYouMean(wanted, names))
}

func (s *Set) checkComparison(out *problems, x *Comparison, c *Canary) {
	a := c.Spec.Analysis
	var names []string
	for _, m := range a.Metrics {
		names = append(names, m.Name)
	}
	if r := x.Spec.Replaces; r != "" && !slices.Contains(names, r) {
		s.clash(out, x, "spec.replaces", r, fmt.Sprintf("the canary %q has no metric %q; it has %s", c.Name, short(r), orNone(names)))
	}
	if x.Name != x.Spec.Replaces && slices.Contains(names, x.Name) {
		s.clash(out, x, "metadata.name", x.Name, fmt.Sprintf("the canary %q has a metric %q already; a check needs a name of its own", c.Name, short(x.Name)))
	}
	s.checkSamples(out, x, a.EffectiveInterval())
	if slices.ContainsFunc(weights(a), func(w int) bool { return w >= 100 }) {
		s.clash(out, x, "spec.canaryRef.name", c.Name, fmt.Sprintf("the canary %q has a step with all of the traffic, where the primary has none "+
			"to compare with; keep its weights below 100", c.Name))
	}
}

func (s *Set) checkSamples(out *problems, x *Comparison, window time.Duration) {
	every := x.Spec.EffectiveSampleInterval(window)
	if every < time.Millisecond {
		s.clash(out, x, "spec.sampleInterval", x.Spec.SampleInterval, fmt.Sprintf("%q is shorter than 1ms", short(x.Spec.SampleInterval)))
		return
	}
	n, least := int(window/every), x.Spec.EffectiveMinSamples()
	field, value := "spec.sampleInterval", x.Spec.SampleInterval
	if value == "" {
		field, value = "spec.minSamples", strconv.Itoa(least)
	}
	switch {
	case n > MaxComparisonSamples:
		s.clash(out, x, field, value, fmt.Sprintf("the analysis interval of %s holds %d samples of %s; at most %d are compared, so write at least %s",
			window, n, every, MaxComparisonSamples, (window/MaxComparisonSamples+time.Millisecond-1).Truncate(time.Millisecond)))
	case n < least:
		s.clash(out, x, field, value, fmt.Sprintf("the analysis interval of %s holds %d samples of %s, and minSamples asks for %d on each side: "+
			"it could never pass", window, n, every, least))
	}
}

// weights are the weights of the steps of an analysis that are judged.
func weights(a *Analysis) []int {
	switch {
	case a.Iterations > 0:
		return nil
	case len(a.StepWeights) > 0:
		return a.StepWeights
	}
	return []int{a.EffectiveMaxWeight()}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
