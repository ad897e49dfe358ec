package metric

import (
	"cmp"
	"strconv"
)

// observed makes the builtin queries of a router that counts its answers by their code and measures how long they took.
//
// The rate of success is counted from the failures. Flagger divides the successes by all requests, and when every
// request fails there are no successes to divide: it then sees no data where the answer is 0 %.
type observed struct {
	counter  string // metric of the answers
	bucket   string // metric of the durations, with _bucket
	canary   string // labels that only the canary's own requests have, of both metrics
	primary  string // labels that only the primary's own requests have; empty where nothing but the target's name differs
	timed    string // further labels of the durations
	failed   string // label of the failures
	seconds  bool   // the durations are seconds, else milliseconds
	measures string // which duration that is, in words
	request  func(s Served) []Sample
}

func (o observed) builtin() Builtin {
	all := o.counter + "{" + o.canary + "}[{{ interval }}]"
	duration := "histogram_quantile(0.99,\n  sum by (le) (rate(" + o.bucket + "{" + o.canary + o.timed + "}[{{ interval }}]))\n)"
	if o.seconds {
		duration = "1000 * " + duration
	}
	return Builtin{
		SuccessRate: "100 - 100 * (\n  sum(rate(" + o.counter + "{" + o.canary + "," + o.failed + "}[{{ interval }}]))\n  or\n  0 * sum(rate(" + all +
			"))\n) / sum(rate(" + all + "))",
		Duration:      duration,
		DurationMeans: o.measures,
		Count:         "sum(increase(" + all + "))",
		Request:       o.request,
		ofPrimary:     swap(o.canary, cmp.Or(o.primary, o.canary)),
	}
}

// milliseconds are the upper bounds of Envoy's histograms, which the meshes and gateways that are made of it share.
var milliseconds = []float64{.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000}

// measured are the two samples of one answer: the count by its code, and the duration in milliseconds.
func measured(s Served, counter, histogram string, labels map[string]string, code string) []Sample {
	counted := map[string]string{code: strconv.Itoa(s.Status)}
	for name, value := range labels {
		counted[name] = value
	}
	return []Sample{
		{Name: counter, Value: 1, Labels: counted},
		{Name: histogram, Kind: Histogram, Value: s.Duration.Seconds() * 1000, Buckets: milliseconds, Labels: labels},
	}
}

// side is the Service that a request was routed to.
func (s Served) side() string {
	if s.Canary {
		return s.Service + "-canary"
	}
	return s.Service + "-primary"
}
