package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// allow applies the roles and bindings that penstock has rendered, with the bindings' subject replaced by a user, and waits
// until the API server goes by them.
func (n *Namespace) allow(user, rendered string) {
	n.t.Helper()
	var all []grant
	for _, o := range objectsIn(rendered) {
		if !strings.HasPrefix(o.GetAPIVersion(), rbacv1.GroupName) {
			continue
		}
		if _, binds := o.Object["subjects"]; binds {
			o.Object["subjects"] = []any{map[string]any{"apiGroup": rbacv1.GroupName, "kind": "User", "name": user}}
			o.SetName(o.GetName() + "-" + strings.ReplaceAll(user, ":", "-"))
		}
		all = append(all, n.apply(o, user)...)
	}
	for _, one := range all {
		n.awaitAllowed(one)
	}
}

// apply applies a role or a binding, and returns what it grants a user.
func (n *Namespace) apply(o *unstructured.Unstructured, user string) []grant {
	n.t.Helper()
	kind := rbacv1.SchemeGroupVersion.WithResource(strings.ToLower(o.GetKind()) + "s")
	client := n.cluster.Dynamic.Resource(kind).Namespace(o.GetNamespace())
	if _, err := client.Apply(n.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "e2e", Force: true}); err != nil {
		n.t.Fatalf("apply %s %s: %v", o.GetKind(), o.GetName(), err)
	}
	text, err := o.MarshalJSON()
	if err != nil {
		n.t.Fatal(err)
	}
	var role rbacv1.Role // or a binding, which has no rules
	if err := json.Unmarshal(text, &role); err != nil {
		n.t.Fatal(err)
	}
	var all []grant
	for _, p := range permissionsOf(role.Rules) {
		all = append(all, grant{permission: p, user: user, namespace: o.GetNamespace()})
	}
	return all
}

// grant is a permission of a user in a namespace, or in none.
type grant struct {
	permission
	user, namespace string
}

// awaitAllowed waits until the API server goes by a role.
func (n *Namespace) awaitAllowed(one grant) {
	n.t.Helper()
	if n.allowed[one] {
		return
	}
	resource, sub, _ := strings.Cut(one.resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: one.user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: one.namespace, Verb: one.verb, Group: one.group, Resource: resource, Subresource: sub, Name: one.name,
		},
	}}
	n.Await("the API server to go by the role", func(ctx context.Context) error {
		answer, err := n.cluster.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return unless(answer.Status.Allowed, "%+v is not allowed: %s", one, answer.Status.Reason)
	})
	n.allowed[one] = true
}

// permission is one verb on one resource, such as deployments/scale, of one object or of any.
type permission struct{ verb, group, resource, name string }

// permissionsOf takes rules apart.
func permissionsOf(rules []rbacv1.PolicyRule) []permission {
	var all []permission
	for _, r := range rules {
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					for _, name := range names {
						all = append(all, permission{verb, group, resource, name})
					}
				}
			}
		}
	}
	return all
}

func (p permission) rule() rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{Verbs: []string{p.verb}, APIGroups: []string{p.group}, Resources: []string{p.resource}}
	if p.name != "" {
		r.ResourceNames = []string{p.name}
	}
	return r
}

// objectsIn returns the objects of a text of YAML, those of lists included, in the order of their kinds and names.
func objectsIn(text string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); err != nil {
			break
		}
		switch {
		case o.IsList():
			_ = o.EachListItem(func(item runtime.Object) error {
				all = append(all, item.(*unstructured.Unstructured))
				return nil
			})
		case len(o.Object) > 0:
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *unstructured.Unstructured) int {
		return strings.Compare(a.GetKind()+a.GetNamespace()+a.GetName(), b.GetKind()+b.GetNamespace()+b.GetName())
	})
	return all
}
