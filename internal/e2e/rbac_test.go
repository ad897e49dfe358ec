package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAUserMayDoWhatARoleGrants(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	config := ns.UserKubeconfig()
	denied := ns.Kubectl("--kubeconfig", config, "get", "deployments")
	if denied.Wait(time.Second) == 0 || !strings.Contains(denied.Stderr(), ns.User()) {
		t.Errorf("without a role: %s", denied.Transcript())
	}
	ns.grant(rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list"}})
	ns.Await("the role to work", func(context.Context) error {
		run := ns.Kubectl("--kubeconfig", config, "get", "deployments")
		return unless(run.Wait(time.Second) == 0, "%s", run.Stderr())
	})
}

func (n *Namespace) grant(rules ...rbacv1.PolicyRule) {
	n.t.Helper()
	meta := metav1.ObjectMeta{Name: "granted"}
	rbac := n.cluster.Kube.RbacV1()
	if _, err := rbac.Roles(n.Name).Create(n.t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		n.t.Fatalf("create role: %v", err)
	}
	_, err := rbac.RoleBindings(n.Name).Create(n.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: n.User()}},
	}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create role binding: %v", err)
	}
}
