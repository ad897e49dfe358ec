package e2e

import (
	"testing"
	"time"
)

func TestMomentsAreShiftedInPlace(t *testing.T) {
	t.Parallel()
	const by = 5 * time.Minute
	for old, want := range map[string]string{
		`"renewTime":"2026-02-28T23:59:30.000001Z"`:   `"renewTime":"2026-03-01T00:04:30.000001Z"`,
		`{"at":"2026-01-01T00:00:00Z","v":"1.2.3"}`:   `{"at":"2026-01-01T00:05:00Z","v":"1.2.3"}`,
		`\"moved\":\"2026-01-01T00:00:00.5+02:00\"}`:  `\"moved\":\"2026-01-01T00:05:00.5+02:00\"}`,
		`"a":"2026-13-01T00:00:00Z","b":"2026-01-01"`: `"a":"2026-13-01T00:00:00Z","b":"2026-01-01"`,
	} {
		got := string(shiftMoments([]byte(old), by))
		if got != want {
			t.Errorf("%s became %s, want %s", old, got, want)
		}
		if back := string(shiftMoments([]byte(got), -by)); back != old {
			t.Errorf("%s became %s on its way back", got, back)
		}
	}
}
