package metric_test

import (
	"slices"
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

func TestEveryRouterHasBucketsOfDurations(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		got, err := metric.DurationBuckets(provider)
		if err != nil || len(got) < 10 || !slices.IsSorted(got) || got[0] > 10 || got[len(got)-1] < 10_000 {
			t.Errorf("%s: %v, %v", provider, got, err)
		}
	}
	if _, err := metric.DurationBuckets("sluice"); err == nil {
		t.Error("an unknown router has buckets")
	}
}
