package metric

import (
	"slices"
	"strings"
	"time"
)

// DurationBuckets returns the upper bounds, in milliseconds, of the histogram that the builtin duration query of a router
// reads: what lies between two of them, a query can only guess.
func DurationBuckets(provider string) ([]float64, error) {
	b, err := BuiltinFor(provider)
	if err != nil {
		return nil, err
	}
	for _, s := range b.Request(Served{Target: "app", Workload: "app", Pod: "app-0", Status: 200, Duration: time.Millisecond, Canary: true}) {
		if s.Kind != Histogram || !strings.Contains(b.Duration, s.Name+"_bucket") {
			continue
		}
		bounds := slices.Clone(s.Buckets)
		if strings.HasPrefix(b.Duration, "1000 * ") { // they are seconds
			for i := range bounds {
				bounds[i] *= 1000
			}
		}
		return bounds, nil
	}
	return nil, nil
}
