package e2e

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// refusal is how penstock names a permission that it lacks.
var refusal = regexp.MustCompile(`no permission to (\w+) (\S+)(?: "([^"]+)")? in namespace "([^"]+)"`)

// lacking runs penstock as the namespace's user until its answer no longer changes with the user's roles, and returns
// the rules that it asks for. It changes nothing.
func (s *scenario) lacking() []rbacv1.PolicyRule {
	s.t.Helper()
	run := s.run("--dry-run", "--kubeconfig", s.UserKubeconfig())
	code := run.Wait(patience)
	var rules []rbacv1.PolicyRule
	for _, m := range refusal.FindAllStringSubmatch(run.Stderr(), -1) {
		if m[4] != s.Name {
			s.t.Errorf("%s: the namespace is %s", m[0], s.Name)
		}
		resource, group, _ := strings.Cut(m[2], ".")
		rule := rbacv1.PolicyRule{Verbs: []string{m[1]}, APIGroups: []string{group}, Resources: []string{resource}}
		if m[3] != "" {
			rule.ResourceNames = []string{m[3]}
		}
		rules = append(rules, rule)
	}
	if (code == 0) != (len(rules) == 0) || code != 0 && code != 2 {
		s.t.Fatalf("the dry run ended with %d and lacks %d permissions:\n%s", code, len(rules), run.Stderr())
	}
	return rules
}

func TestAMissingPermissionIsNamedBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{
		`patch deployments/scale.apps "podinfo"`, `update leases.coordination.k8s.io "penstock-podinfo"`, "create configmaps", "watch pods",
		`create ingresses.networking.k8s.io "podinfo-canary"`,
	} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "nginx")
			verb, what, _ := strings.Cut(lost, " ")
			what, name, _ := strings.Cut(what, " ")
			resource, group, _ := strings.Cut(what, ".")
			all := s.lacking()
			rest := slices.DeleteFunc(slices.Clone(all), func(r rbacv1.PolicyRule) bool {
				named := strings.Trim(name, `"`) == strings.Join(r.ResourceNames, "")
				return r.Verbs[0] == verb && r.Resources[0] == resource && r.APIGroups[0] == group && named
			})
			if len(rest) != len(all)-1 {
				t.Fatalf("%d of %d permissions are to %s", len(all)-len(rest), len(all), lost)
			}
			s.grant(rest...)
			s.Await("the role to work", func(context.Context) error {
				missing := s.lacking()
				return unless(len(missing) == 1, "%d permissions are missing", len(missing))
			})
			run := s.run("--kubeconfig", s.UserKubeconfig())
			s.end(run, 2)
			s.wantLine(run, `no permission to `+lost+` in namespace "`+s.Name+`"`)
			s.wantUntouched()
		})
	}
}
