package cli

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// A rollout whose end was saved is over when the lease was given back. Else nobody knows whether that was carried out.
func TestAnEndIsFinishedUnlessTheLeaseWasGivenBack(t *testing.T) {
	t.Parallel()
	for _, phase := range []rollout.Phase{rollout.Initialized, rollout.Succeeded, rollout.Failed, rollout.Terminated} {
		for holder, over := range map[string]bool{"": true, "somebody else": false, "run": false} {
			e := &ending{bulletin: &bulletin{}, holder: holder}
			record := &rollout.Record{ID: "run", Status: rollout.Status{Phase: phase}}
			if why := e.leave(record, false, time.Now()); (why != "") != over {
				t.Errorf("%s, while the lease is held by %q: %q", phase, holder, why)
			}
		}
	}
	if why := (&ending{bulletin: &bulletin{}}).leave(&rollout.Record{}, false, time.Now()); why == "" {
		t.Error("there is something to finish where there was no rollout")
	}
}
