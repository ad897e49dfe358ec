package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
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

func TestTheMetadataOfTheServersPageNameWhomToAsk(t *testing.T) {
	t.Parallel()
	var hooks []string
	for _, block := range page(t, "server.md").blocks("yaml") {
		if !strings.Contains(block, "kind: Canary\n") {
			continue
		}
		all, err := canary.Parse([]canary.File{{Name: "server.md", Data: []byte(block)}})
		if err != nil || len(all.Canaries) != 1 {
			t.Fatalf("%d canaries: %v", len(all.Canaries), err)
		}
		for _, hook := range all.Canaries[0].Spec.Analysis.Webhooks {
			ask := canary.GateAsk{Metadata: hook.Metadata}
			if ask.Rollback = hook.Type == canary.HookRollback; !ask.ByPeople() {
				continue
			}
			about, err := ask.Approval()
			if err != nil || about.Hook != hook.Type {
				t.Errorf("%s: %+v %v", hook.Name, about, err)
			}
			hooks = append(hooks, string(hook.Type))
		}
	}
	if want := []string{"confirm-rollout", "confirm-promotion", "rollback"}; !slices.Equal(hooks, want) {
		t.Errorf("people are asked by %v, want %v", hooks, want)
	}
}
