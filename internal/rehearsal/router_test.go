package rehearsal

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/traffic"
)

func TestEveryRouterCanBeRehearsed(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(traffic.List(), slices.Sorted(maps.Keys(routers))); diff != "" {
		t.Errorf("routers (-codecs +rehearsal):\n%s", diff)
	}
}
