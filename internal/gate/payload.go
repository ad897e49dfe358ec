package gate

import (
	"encoding/json"
	"fmt"
	"hash/fnv"

	"github.com/davecgh/go-spew/spew"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// About is what a webhook is told about the rollout.
type About struct {
	Phase    string // as Flagger shows it
	Checksum string // of the revision and its configuration: see Checksum
}

// AboutStatus tells about a rollout. tracked are the checksums of the configuration of the revision, as in the Canary's
// status; nil when configuration is not tracked.
func AboutStatus(st *rollout.Status, tracked map[string]string) About {
	phase := st.Phase
	if phase == rollout.RollingBack {
		phase = rollout.Progressing // Flagger has no name for it
	}
	return About{Phase: string(phase), Checksum: Checksum(tracked, st.Revision)}
}

// during is what hooks of a type are told. Those of the analysis are told that the canary is progressing, even while the
// promotion waits for its confirmation: so they are by Flagger, and load testers look at it.
func (a About) during(kind canary.HookType) About {
	switch kind {
	case canary.HookPreRollout, canary.HookRollout, canary.HookConfirmTrafficIncrease:
		a.Phase = string(rollout.Progressing)
	case canary.HookConfirmRollout, canary.HookConfirmPromotion, canary.HookPostRollout, canary.HookRollback, canary.HookEvent:
	}
	return a
}

// payload is the body of a request, with the fields and their order as Flagger has them.
type payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     string            `json:"phase"`
	Checksum  string            `json:"checksum"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

func (c *Caller) payload(about About, metadata map[string]string) []byte {
	body, err := json.Marshal(payload{
		Name: c.Canary.Name, Namespace: c.Canary.Namespace, Phase: about.Phase, Checksum: about.Checksum, Metadata: metadata,
	})
	if err != nil {
		panic(err) // strings can always be marshalled
	}
	return body
}

// checksummed is what Flagger's checksum is made of. The names and types of its fields are part of the sum.
type checksummed = struct {
	TrackedConfigs  *map[string]string
	LastAppliedSpec string
}

// Checksum identifies a revision together with its configuration, by Flagger's algorithm: the same values give the same
// checksum as there. trackedConfigs is nil when there are none, which is not the same as an empty map.
func Checksum(trackedConfigs map[string]string, lastAppliedSpec string) string {
	of := checksummed{LastAppliedSpec: lastAppliedSpec}
	if trackedConfigs != nil {
		of.TrackedConfigs = &trackedConfigs
	}
	printer := spew.ConfigState{Indent: " ", SortKeys: true, DisableMethods: true, SpewKeys: true}
	sum := fnv.New32a()
	_, _ = printer.Fprintf(sum, "%#v", of) // a hash takes everything
	return rand.SafeEncodeString(fmt.Sprint(sum.Sum32()))
}
