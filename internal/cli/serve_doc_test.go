package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/manifest"
)

func TestTheRoleOfTheServersPageGrantsWhatGatesTake(t *testing.T) {
	t.Parallel()
	var roles []rbacv1.Role
	for _, block := range page(t, "server.md").blocks("yaml") {
		if strings.Contains(block, "kind: Role\n") {
			var role rbacv1.Role
			if err := yaml.UnmarshalStrict([]byte(block), &role); err != nil {
				t.Fatal(err)
			}
			roles = append(roles, role)
		}
	}
	if len(roles) != 1 {
		t.Fatalf("the page has %d roles", len(roles))
	}
	got := map[string]bool{}
	for _, rule := range roles[0].Rules {
		for _, verb := range rule.Verbs {
			got[strings.Join(append([]string{verb}, append(rule.Resources, rule.ResourceNames...)...), " ")] = true
		}
	}
	want := map[string]bool{}
	for _, p := range manifest.Permissions(manifest.Gates(roles[0].Namespace)) {
		want[strings.TrimSpace(strings.Join([]string{p.Verb, p.Resource, p.Name}, " "))] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the role (-needed +granted):\n%s", diff)
	}
}
