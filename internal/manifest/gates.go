package manifest

import "github.com/penstock-dev/penstock/internal/canary"

// GatesName names the ConfigMap of a namespace that keeps which gates of Flagger's gate API are open. It has a dot where
// the names of everything else have a dash, lest it be the record of a canary called gates.
const GatesName = "penstock.gates"

// Gates lists what the gate API takes in a namespace that it serves.
func Gates(namespace string) []Need {
	var all needs
	kept := named(canary.Ref{GroupVersionResource: configMapGVR, Namespace: namespace, Name: GatesName})
	all.add("which gates are open", kept, "get", "update")
	all.add("the first gate that is opened", unnamed(configMapGVR, namespace), "create") // a create cannot be bound to a name
	return all
}
