package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// renderRBAC returns what penstock render rbac prints for the scenario's user, from its files: the canary, and the target
// with its configuration as they are in the cluster now.
func (s *scenario) renderRBAC(args ...string) string {
	s.t.Helper()
	printed := s.tryRenderRBAC(args...)
	if printed == "" {
		s.t.Fatal("penstock render rbac prints nothing")
	}
	return printed
}

// tryRenderRBAC is renderRBAC for files that may be wrong. It returns nothing when they are.
func (s *scenario) tryRenderRBAC(args ...string) string {
	s.t.Helper()
	var manifests []any
	for _, gvr := range []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "daemonsets"},
		{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "secrets"},
	} {
		list, err := s.cluster.Dynamic.Resource(gvr).Namespace(s.Name).List(s.t.Context(), metav1.ListOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		for i := range list.Items {
			manifests = append(manifests, list.Items[i].Object)
		}
	}
	s.write("manifests.yaml", manifests...)
	run := s.Penstock(append([]string{
		"render", "rbac", "-f", "canary.yaml", "-f", "manifests.yaml", "-n", s.Name, "--user", s.User(),
	}, args...)...)
	if run.Wait(patience) != 0 {
		return ""
	}
	return run.Stdout()
}

// grantRendered applies what penstock render rbac prints, and nothing else, and waits until that is enough for a run.
func (s *scenario) grantRendered(args ...string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.home, "role.yaml"), []byte(s.renderRBAC(args...)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if apply := s.Kubectl("apply", "-f", "role.yaml"); apply.Wait(patience) != 0 {
		s.t.Fatalf("kubectl apply: %s", apply.Transcript())
	}
	s.awaitLacking("the role to be enough")
}

// awaitLacking waits until the user lacks these permissions and no other.
func (s *scenario) awaitLacking(what string, wanted ...permission) {
	s.t.Helper()
	s.Await(what, func(context.Context) error {
		missing := permissionsOf(s.lacking())
		return unless(slices.Equal(missing, wanted), "lacking %v, want %v", missing, wanted)
	})
}

// renderedPermissions returns what the printed role of the scenario's namespace grants.
func (s *scenario) renderedPermissions(args ...string) []permission {
	s.t.Helper()
	var list struct{ Items []rbacv1.Role }
	if err := json.Unmarshal([]byte(s.renderRBAC(append(args, "-o", "json")...)), &list); err != nil {
		s.t.Fatal(err)
	}
	var all []permission
	for i := range list.Items {
		if role := &list.Items[i]; role.Kind == "Role" && role.Namespace == s.Name {
			all = append(all, permissionsOf(role.Rules)...)
		}
	}
	return all
}

// wantAllUsed checks that penstock has used every permission. A create by an apply is a patch to the audit log, and where
// the API server streams what there is at the begin of a watch, nothing is listed. A Canary that is looked for need not be
// there.
func (s *scenario) wantAllUsed(granted []permission) {
	s.t.Helper()
	requests := s.Requests()
	for _, p := range granted {
		used := slices.ContainsFunc(requests, func(r Request) bool {
			verb := r.Verb == p.verb || p.verb == "create" && r.Verb == "patch" || p.verb == "list" && r.Verb == "watch"
			answered := r.Code < 400 || r.Code == 404
			return verb && answered && r.Resource == p.resource && (r.Name == p.name || p.name == "")
		})
		if !used {
			s.t.Errorf("granted and never used: %+v", p)
		}
	}
}

// A run works under exactly the role that penstock prints for it, and uses all of it: no cluster role, and nothing outside
// of its namespace.
func TestTheRoleThatIsRenderedIsEnoughAndAllOfItIsUsed(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			s.grantRendered("--uninstall")
			granted := s.renderedPermissions("--uninstall")
			config := s.UserKubeconfig()
			s.end(s.run("--kubeconfig", config), 0)
			s.end(s.rollOut(v2, "--kubeconfig", config), 0)
			s.wantPromoted(v2)
			s.prometheus.Script("", Value(1))
			s.end(s.rollOut(v3, "--kubeconfig", config), 1)
			s.wantRolledBack(v2)
			s.wantSafe()
			s.end(s.run("--uninstall", "--kubeconfig", config), 0)
			s.wantNoneForbidden()
			s.wantAllUsed(granted)
		})
	}
}

// wantNoneForbidden checks that nothing was asked of the API server that the user's role does not grant, but for what a
// run does without.
func (s *scenario) wantNoneForbidden() {
	s.t.Helper()
	for _, r := range s.Requests() {
		if (r.Code == 403 || r.Code == 401) && r.Resource != "canaries" {
			s.t.Errorf("%s %s %s was answered %d", r.Verb, r.Resource, r.Name, r.Code)
		}
	}
}

// Without any single verb of the role, a run names what is missing before anything is touched.
func TestEveryVerbOfTheRenderedRoleIsNeeded(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx")
	s.configure()
	granted := s.renderedPermissions()
	s.grant(rulesOf(granted)...)
	s.awaitLacking("the role to be enough")
	roles := s.cluster.Kube.RbacV1().Roles(s.Name)
	for _, lost := range granted {
		if lost.group == "flagger.app" || strings.HasSuffix(lost.name, "-podinfo-primary") {
			continue // a Canary need not be there, and the second name of a copy is for when the first is taken
		}
		role, err := roles.Get(t.Context(), "granted", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		role.Rules = rulesOf(slices.DeleteFunc(slices.Clone(granted), func(p permission) bool { return p == lost }))
		if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Await("only "+lost.verb+" "+lost.resource+" "+lost.name+" to be missing", func(context.Context) error {
			missing := permissionsOf(s.lacking())
			same := len(missing) > 0 && !slices.ContainsFunc(missing, func(p permission) bool {
				// What any object was granted for is missed by the name of each.
				return p.verb != lost.verb || p.group != lost.group || p.resource != lost.resource || lost.name != "" && p.name != lost.name
			})
			return unless(same, "lacking %v", missing)
		})
	}
	s.wantUntouched()
}

func rulesOf(all []permission) []rbacv1.PolicyRule {
	rules := make([]rbacv1.PolicyRule, 0, len(all))
	for _, p := range all {
		rules = append(rules, p.rule())
	}
	return rules
}

// The definitions of our types are what the API server takes for one.
func TestTheRenderedDefinitionsAreAccepted(t *testing.T) {
	t.Parallel()
	s := cluster.Namespace(t)
	run := s.Penstock("render", "crds", "--kind", "Canary", "--kind", "MetricTemplate", "--kind", "AlertProvider")
	if code := run.Wait(patience); code != 0 {
		t.Fatalf("%s", run.Transcript())
	}
	if err := os.WriteFile(filepath.Join(s.home, "crds.yaml"), []byte(run.Stdout()), 0o600); err != nil {
		t.Fatal(err)
	}
	apply := s.Kubectl("apply", "--dry-run=server", "-f", "crds.yaml")
	if apply.Wait(patience) != 0 || strings.Count(apply.Stdout(), "(server dry run)") != 3 {
		t.Errorf("%s", apply.Transcript())
	}
}

// Beside the status and the events, which a run does without, the role has what the Canary object takes.
func TestTheRoleForACanaryThatRevertsOnDeletionIsEnough(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	s := newScenario(t, "kubernetes", func(spec map[string]any) { spec["revertOnDeletion"] = true })
	s.createCanary()
	s.grantRendered()
	config := s.UserKubeconfig()
	s.end(s.run("--kubeconfig", config), 0)
	s.end(s.rollOut(v2, "--kubeconfig", config), 0)
	s.wantPromoted(v2)
	updated := false
	for _, r := range s.Requests() {
		updated = updated || r.Verb == "update" && r.Resource == "canaries" && r.Code == 200
		if r.Code == 403 && r.Resource != "canaries/status" && r.Resource != "events" {
			t.Errorf("%s %s %s was answered %d", r.Verb, r.Resource, r.Name, r.Code)
		}
	}
	if !updated {
		t.Error("the finalizer was never written")
	}
}
