package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Only what the target refers to is asked for, by name, and that is enough.
func TestConfigMapsAndSecretsAreAskedForByName(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	s.configure()
	rules := s.lacking()
	if slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return r.Resources[0] == "secrets" }) {
		t.Errorf("secrets are asked for before it is known which: %v", rules)
	}
	s.grant(rules...)
	var more []rbacv1.PolicyRule
	s.Await("what is asked for by name", func(context.Context) error {
		more = s.lacking()
		others := slices.ContainsFunc(more, func(r rbacv1.PolicyRule) bool { return r.Resources[0] != "secrets" && r.Resources[0] != "configmaps" })
		return unless(len(more) > 0 && !others, "lacking %v", more)
	})
	for _, r := range more {
		if len(r.ResourceNames) != 1 || r.Resources[0] != "secrets" && r.Resources[0] != "configmaps" {
			t.Errorf("%v", r)
		}
		if name := r.ResourceNames[0]; !strings.HasSuffix(name, "-primary") && r.Verbs[0] != "list" && r.Verbs[0] != "watch" {
			t.Errorf("%s of the user's own %s", r.Verbs[0], name)
		}
	}
	roles := s.cluster.Kube.RbacV1().Roles(s.Name)
	role, err := roles.Get(t.Context(), "granted", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role.Rules = append(role.Rules, more...)
	if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Await("the role to be enough", func(context.Context) error {
		missing := s.lacking()
		return unless(len(missing) == 0, "still lacking: %v", missing)
	})
	config := s.UserKubeconfig()
	s.end(s.run("--kubeconfig", config), 0)
	s.paint("app", "green")
	s.end(s.run("--kubeconfig", config), 0)
	s.wantPromoted(v1)
	if c := s.configMap("app-primary"); c.Data["colour"] != "green" {
		t.Errorf("the copy holds %v", c.Data)
	}
	for _, r := range s.Requests() {
		if (r.Code == 403 || r.Code == 401) && r.Resource != "canaries" {
			t.Errorf("%s %s %s was answered %d", r.Verb, r.Resource, r.Name, r.Code)
		}
	}
}
