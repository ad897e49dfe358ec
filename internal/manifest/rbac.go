package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Object is one object to apply. The rules of a role have a comment each.
type Object struct {
	Comment string
	Body    any
	Rules   []Rule
}

// RenderRBAC returns a Role and its RoleBinding for each namespace of the needs of a canary, and a ClusterRole with its
// binding for objects of the whole cluster. A subject that is a ServiceAccount and has no namespace is in the canary's.
func RenderRBAC(c *canary.Canary, needs []Need, subjects []rbacv1.Subject) []Object {
	places := map[string][]Need{}
	for _, n := range needs {
		places[n.Namespace] = append(places[n.Namespace], n)
	}
	bound := slices.Clone(subjects)
	for i := range bound {
		if bound[i].Kind == rbacv1.ServiceAccountKind && bound[i].Namespace == "" {
			bound[i].Namespace = c.Namespace
		}
	}
	order := slices.SortedFunc(maps.Keys(places), func(a, b string) int { // the canary's own namespace first
		if a == c.Namespace || b == c.Namespace {
			return strings.Compare(fmt.Sprint(a != c.Namespace), fmt.Sprint(b != c.Namespace))
		}
		return strings.Compare(a, b)
	})
	var all []Object
	for _, namespace := range order {
		all = append(all, renderRole(c, namespace, Rules(places[namespace])), renderBinding(c, namespace, bound))
	}
	return all
}

// roleMeta names a role and its binding. Where it is not in the canary's namespace, that is a part of its name: canaries
// of one name may need one there, too.
func roleMeta(c *canary.Canary, namespace string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: ObjectName(c), Namespace: namespace}
	if namespace != c.Namespace {
		meta.Name = "penstock-" + c.Namespace + "-" + c.Name
	}
	return meta
}

func renderRole(c *canary.Canary, namespace string, rules []Rule) Object {
	o := Object{Rules: rules}
	plain := make([]rbacv1.PolicyRule, 0, len(rules))
	for _, r := range rules {
		plain = append(plain, r.PolicyRule)
	}
	version := rbacv1.SchemeGroupVersion.String()
	if namespace == "" {
		o.Comment = fmt.Sprintf("What a run of the canary %s/%s needs of the whole cluster: the router's object has no namespace.", c.Namespace, c.Name)
		o.Body = &rbacv1.ClusterRole{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "ClusterRole"}, ObjectMeta: roleMeta(c, ""), Rules: plain,
		}
		return o
	}
	o.Comment = fmt.Sprintf("What a run of the canary %s/%s needs in the namespace %s, and nothing more.", c.Namespace, c.Name, namespace)
	o.Body = &rbacv1.Role{
		TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "Role"}, ObjectMeta: roleMeta(c, namespace), Rules: plain,
	}
	return o
}

func renderBinding(c *canary.Canary, namespace string, subjects []rbacv1.Subject) Object {
	meta, version := roleMeta(c, namespace), rbacv1.SchemeGroupVersion.String()
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}
	if namespace == "" {
		role.Kind = "ClusterRole"
		return Object{Body: &rbacv1.ClusterRoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "ClusterRoleBinding"}, ObjectMeta: meta, RoleRef: role, Subjects: subjects,
		}}
	}
	return Object{Body: &rbacv1.RoleBinding{
		TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "RoleBinding"}, ObjectMeta: meta, RoleRef: role, Subjects: subjects,
	}}
}
