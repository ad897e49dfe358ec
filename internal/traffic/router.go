// Package traffic holds one codec per traffic router: which objects a router reads, how a wanted route is written into
// them, and how what the router reports is read back. Nothing here does I/O.
package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Router is the codec of one kind of traffic router. All its functions are pure.
type Router struct {
	Can Can

	// Settle is how long the router may go on with an old route after it reports a new one, or after a new one was written
	// where it reports nothing. Zero where it reports truthfully, or takes up changes at once.
	Settle time.Duration

	// Refs lists the objects that Render and Read look at, the user's own ones included.
	Refs func(c *canary.Canary) []canary.Ref

	// Render returns what Penstock wants of each object that it writes: only the fields that it owns, to be sent as a
	// server-side apply. Where the API makes a whole list one field, the foreign entries of the live list are kept
	// and the object carries the live resourceVersion, so that a concurrent change is a conflict and not a loss.
	// live is never modified.
	Render func(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error)

	// Read returns what the router objects say, and whether the router has taken it up. Handover is reported whenever all
	// requests reach the apex Service as if there were no canary; a route that only the apex is named by is not Managed.
	Read func(c *canary.Canary, live canary.Objects) rollout.RouteReport

	// Made lists the objects that exist only for the rollouts of c, and are deleted when it is uninstalled: after the
	// handover (see rollout.Route), which Render has written and Read has reported by then.
	Made func(c *canary.Canary) []canary.Ref

	// Exact lists the fields of an object, each as a path, whose live value must be the rendered one to the letter. In
	// all others a live value may have more than was rendered: what others and the API server's defaults have added.
	Exact func(ref canary.Ref) [][]string

	// Lacks lists what a canary must say for this router and does not, each beginning with the field.
	Lacks func(c *canary.Canary) []string

	// Limits lists what a canary says that the router has no words for, each beginning with the field. What Can answers
	// is not in it; Refuse has everything.
	Limits func(c *canary.Canary) []string
}

// Can says what a router is able to do.
type Can struct {
	Weights         bool // any share of the traffic; without it only 0 and 100 %
	Match           bool // A/B testing by headers and cookies
	Mirror          bool // copy requests to the canary
	MirrorWeight    bool // copy a share of the requests
	SessionAffinity bool
}

// For returns the router of a spec.provider. An unknown name is an error that lists the known ones.
func For(provider string) (Router, error) {
	if r, ok := registry[provider]; ok {
		return r, nil
	}
	return Router{}, fmt.Errorf("provider %q is not supported; supported are %s", provider, strings.Join(List(), ", "))
}

// List returns the names of all routers, sorted.
func List() []string { return slices.Sorted(maps.Keys(registry)) }
