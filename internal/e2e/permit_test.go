package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// roleFlags are the flags of a run that penstock render rbac has as well, since what the run may do depends on them.
var roleFlags = []string{"-n", "--namespace", "-f", "--driver", "--metrics-server", "--provider", "--reach", "--secret-env"}

// permit grants the namespace's user what penstock render rbac prints for a run with these arguments, and nothing else, and
// returns them with the kubeconfig of that user. So every test that starts a run in this way also shows that the role is
// enough. Arguments that name a kubeconfig are left alone.
func (s *scenario) permit(args []string) []string {
	s.t.Helper()
	if s.administers || slices.Contains(args, "--kubeconfig") {
		return args
	}
	flags := []string{"--view", "-o", "json"}
	for i, arg := range args {
		switch {
		case arg == "--uninstall" || arg == "--suspend" || arg == "--approvals":
			flags = append(flags, arg)
		case slices.Contains(roleFlags, arg):
			flags = append(flags, arg, args[i+1])
		}
	}
	s.allow(s.user(), s.tryRenderRBAC(flags...)) // of wrong files nothing: the run has to say so
	return append(slices.Clone(args), "--kubeconfig", s.UserKubeconfig())
}

// administer lets the runs of the scenario do everything from now on: for tests that make hundreds of scenarios, and look at
// what befalls a run and not at what it may do.
func (s *scenario) administer() { s.administers = true }

// permitServer grants the user of the namespace's servers what penstock render server prints, and returns a server's
// arguments that name it.
func (n *Namespace) permitServer() []string {
	n.t.Helper()
	rendered := n.Penstock("render", "server", "-n", n.Name, "--repository", "github:7")
	if rendered.Wait(time.Minute) != 0 {
		n.t.Fatal(rendered.Transcript())
	}
	n.allow(n.server(), rendered.Stdout())
	return []string{"--kubeconfig", n.kubeconfigOf(n.server())}
}

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
