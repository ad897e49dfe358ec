package report

import (
	"fmt"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Chapter is the title of the part of a log that a decision belongs to, in ASCII: all lines of one step of the rollout are
// in one part. It is empty when the run is over, since how it ended must not be folded away.
func Chapter(s Snapshot) string {
	if s.Outcome != rollout.Running {
		return ""
	}
	return disarm(toASCII(name(s.Namespace, s.Canary) + ": " + chapter(&s)))
}

func chapter(s *Snapshot) string {
	st := &s.Status
	switch st.Phase {
	case rollout.Initializing:
		return "make the primary"
	case rollout.Waiting:
		return "wait for the gate of the rollout"
	case rollout.Progressing:
		if steps := len(s.Spec.Steps); st.Step > 0 {
			return fmt.Sprintf("step %d/%d, %s", st.Step, steps, percent(st.Weight))
		}
		return "start the canary"
	case rollout.WaitingPromotion:
		return "wait for the gate of the promotion"
	case rollout.Promoting, rollout.Finalising:
		return "promote"
	case rollout.RollingBack:
		return "roll back"
	case rollout.Terminating, rollout.Terminated:
		return "uninstall"
	case rollout.Initialized, rollout.Succeeded, rollout.Failed:
	}
	return "look at what is there"
}
