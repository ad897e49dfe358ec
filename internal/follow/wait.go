package follow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// unlike waits for the primary to run what Flagger says is promoted.
func (t *track) unlike(seen *kube.Driven, now time.Time) verdict {
	until := t.moved.Add(grace)
	if !now.Before(until) {
		return failed("Flagger says %s, but the primary runs %s and not %s", seen.Canary.Status.Phase, list(seen.PrimaryImages), list(t.pinned))
	}
	return verdict{reason: rollout.Reason{Code: rollout.CopyPending}, wakeAt: until}
}

// hold waits for the status to move, within the bound of its phase.
func (t *track) hold(now time.Time, phase rollout.Phase, why rollout.Reason) verdict {
	bound := t.limits.of(phase)
	until := t.moved.Add(bound)
	if now.Before(until) {
		return verdict{reason: why, wakeAt: until}
	}
	if phase == "" {
		return failed("no Flagger controller seems to act on this canary: it has had no status for %s", bound)
	}
	return failed("Flagger's status has not moved for %s in phase %s%s; the rollout goes on under Flagger if it can, "+
		"and a re-run follows it again", bound, phase, t.because())
}

func (t *track) because() string {
	if t.cause == "" {
		return ""
	}
	return ": " + t.cause
}

func failed(format string, args ...any) verdict { return verdict{err: fmt.Errorf(format, args...)} }

// has reports whether every wanted container runs its image.
func has(images, wanted map[string]string) bool {
	for name, image := range wanted {
		if images[name] != image {
			return false
		}
	}
	return true
}

func list(images map[string]string) string {
	if len(images) == 0 {
		return "nothing"
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(images)) {
		pairs = append(pairs, name+"="+images[name])
	}
	return strings.Join(pairs, ", ")
}
