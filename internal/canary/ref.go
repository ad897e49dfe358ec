package canary

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Ref names one object of a cluster, with all that a client needs to reach it without asking for discovery first.
type Ref struct {
	schema.GroupVersionResource
	Kind      string
	Namespace string
	Name      string
}

// String returns the reference as people read it, such as `Ingress "shop/podinfo"`. An object of the whole cluster has no
// namespace.
func (r Ref) String() string {
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %q", r.Kind, name)
}

// Objects are live objects of a cluster. One that does not exist is absent.
type Objects map[Ref]*unstructured.Unstructured

// New returns an object that has only the identity of r, to be filled by a codec.
func (r Ref) New() *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetAPIVersion(r.GroupVersion().String())
	o.SetKind(r.Kind)
	o.SetNamespace(r.Namespace)
	o.SetName(r.Name)
	return o
}

// RefOf returns the reference of a core or well-known object.
func (c *Canary) RefOf(gvr schema.GroupVersionResource, kind, name string) Ref {
	return Ref{GroupVersionResource: gvr, Kind: kind, Namespace: c.Namespace, Name: name}
}
