// Package manifest holds what an admin applies before Penstock can run: which permissions a canary needs, and the objects
// that grant them. The engine asks for the same list before a run. Nothing here does I/O.
package manifest

import (
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Permission is one verb on one resource.
type Permission struct {
	Verb, Group, Resource, Subresource, Namespace string // an object of the whole cluster has no namespace

	Name string // of the only object that it is needed for; empty: of any
}

// String returns the permission as an admin reads it.
func (p Permission) String() string {
	resource := p.path()
	if p.Group != "" {
		resource += "." + p.Group
	}
	if p.Name != "" {
		resource += fmt.Sprintf(" %q", p.Name)
	}
	if p.Namespace == "" {
		return fmt.Sprintf("%s %s in the whole cluster", p.Verb, resource)
	}
	return fmt.Sprintf("%s %s in namespace %q", p.Verb, resource, p.Namespace)
}

// path is the resource as a rule names it, such as "deployments/scale".
func (p Permission) path() string {
	if p.Subresource == "" {
		return p.Resource
	}
	return p.Resource + "/" + p.Subresource
}

// Need is a permission with what it is for.
type Need struct {
	Permission
	Why string
}

// Permissions leaves out what the needs are for, and what is needed twice.
func Permissions(needs []Need) []Permission {
	var all []Permission
	seen := map[Permission]bool{}
	for _, n := range needs {
		if !seen[n.Permission] {
			seen[n.Permission] = true
			all = append(all, n.Permission)
		}
	}
	return all
}

// DecisionsName names the ConfigMap of what people have said at the gates of a canary.
func DecisionsName(c *canary.Canary) string { return ObjectName(c) + "-decisions" }

// GateName names the ConfigMap in which a run says at which gate of a canary it waits for people.
func GateName(c *canary.Canary) string { return ObjectName(c) + "-gate" }

// FlaggerGateName names the ConfigMap in which a server says that Flagger waits for people at a gate of a canary.
func FlaggerGateName(c *canary.Canary, gate string) string { return ObjectName(c) + "-flagger-" + gate }
