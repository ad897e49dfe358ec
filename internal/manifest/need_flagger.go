package manifest

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

var (
	canaryGVR   = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}
	templateGVR = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "metrictemplates"}
	eventGVR    = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

func canaryOf(c *canary.Canary) Permission { return named(c.RefOf(canaryGVR, "Canary", c.Name)) }

// Guard lists what a run does with the Canary object when there is one in the cluster, and has to: it looks whether a
// Flagger controller acts on it, and with spec.revertOnDeletion it keeps the object in place during the run.
func Guard(c *canary.Canary) []Need {
	var all needs
	all.add("a Canary that a Flagger controller drives is refused", canaryOf(c), "get")
	if c.Spec.RevertOnDeletion {
		all.add("spec.revertOnDeletion: a finalizer keeps the Canary until its traffic is back", canaryOf(c), "list", "watch", "update")
	}
	return all
}

// View lists what shows a rollout in the status and the events of the Canary object.
func View(c *canary.Canary) []Need {
	var all needs
	all.add("a run notices that the Canary is deleted", canaryOf(c), "list", "watch")
	status := canaryOf(c)
	status.Subresource = "status"
	all.add("the status of the Canary, for kubectl and dashboards", status, "patch")
	all.add("events of the Canary; a create cannot be bound to a name", unnamed(eventGVR, c.Namespace), "create")
	return all
}

// Follow lists what it takes to follow a rollout that a Flagger controller drives, whose target and primary are refs.
func Follow(c *canary.Canary, refs *workload.Refs) []Need {
	var all needs
	all.add("the Canary whose rollout is followed", canaryOf(c), "get", "list", "watch")
	for _, ref := range []canary.Ref{refs.Target, refs.Primary} {
		all.add("the target and its primary, to see how far the rollout is", named(ref), "list", "watch")
	}
	all.add("the new image", named(refs.Target), "patch")
	return all
}

// Events lists what lets a follower repeat what the controller says. It is used where it is allowed.
func Events(c *canary.Canary) []Need {
	var all needs
	all.add("what the controller says in events, which are found by a field", unnamed(eventGVR, c.Namespace), "list", "watch")
	return all
}

// Metrics lists what the checks of a canary read from the cluster: the templates that the files do not have, which are
// missing, and the Secrets of those that they have.
func Metrics(c *canary.Canary, set *canary.Set) (all []Need, missing []canary.ObjectRef) {
	if c.Spec.Analysis == nil {
		return nil, nil
	}
	var found needs
	for i := range c.Spec.Analysis.Metrics {
		m := &c.Spec.Analysis.Metrics[i]
		if m.TemplateRef == nil {
			continue
		}
		t := set.Template(c, m)
		if t == nil {
			ref := c.Locate(*m.TemplateRef)
			missing = append(missing, ref)
			found.add("a metric template of the analysis", Permission{
				Group: templateGVR.Group, Resource: templateGVR.Resource, Namespace: ref.Namespace, Name: ref.Name,
			}, "get")
			continue
		}
		if secret := t.Spec.Provider.SecretRef; secret != nil {
			found.add("the credentials of a metrics provider", Permission{Resource: "secrets", Namespace: t.Namespace, Name: secret.Name}, "get")
		}
	}
	for _, x := range set.ComparisonsOf(c) {
		if p := x.Spec.Provider; p != nil && p.SecretRef != nil {
			found.add("the credentials of a metrics provider", Permission{Resource: "secrets", Namespace: c.Namespace, Name: p.SecretRef.Name}, "get")
		}
	}
	return found, missing
}

// Alerts lists what the alerts of a canary take, and the AlertProviders that are not in the files.
func Alerts(c *canary.Canary, set *canary.Set) (all []Need, missing []canary.ObjectRef) {
	if c.Spec.Analysis == nil {
		return nil, nil
	}
	var found needs
	for i := range c.Spec.Analysis.Alerts {
		ref := c.Locate(c.Spec.Analysis.Alerts[i].ProviderRef)
		at := slices.IndexFunc(set.Providers, func(p *canary.AlertProvider) bool {
			return p.Name == ref.Name && (p.Namespace == ref.Namespace || p.Namespace == "")
		})
		if at < 0 {
			missing = append(missing, ref)
			found.add("an alert provider of the canary", Permission{
				Group: templateGVR.Group, Resource: "alertproviders", Namespace: ref.Namespace, Name: ref.Name,
			}, "get")
			continue
		}
		if secret := set.Providers[at].Spec.SecretRef; secret != nil {
			found.add("the address of a chat that alerts go to", Permission{Resource: "secrets", Namespace: ref.Namespace, Name: secret.Name}, "get")
		}
	}
	return found, missing
}
