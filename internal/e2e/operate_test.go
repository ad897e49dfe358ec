package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
)

// shows demands that a penstock command ends with a code and prints lines that match.
func (s *scenario) shows(code int, args []string, lines ...string) {
	s.t.Helper()
	run := s.Penstock(args...)
	if got := run.Wait(time.Minute); got != code {
		s.t.Fatalf("penstock %s ends with %d, want %d:\n%s", strings.Join(args, " "), got, code, run.Transcript())
	}
	for _, line := range lines {
		if !regexp.MustCompile("(?m)" + line).MatchString(run.Stdout() + run.Stderr()) {
			s.t.Errorf("penstock %s does not print %q:\n%s", strings.Join(args, " "), line, run.Transcript())
		}
	}
}

// Who may read ConfigMaps and Leases sees each rollout where it is, and who is at work on it.
func TestTheOperatorSeesARollout(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	s.prometheus.Script("", Value(100))
	s.prometheus.Script("histogram_quantile", Value(50))
	s.shows(0, []string{"lint", "canary.yaml", "--cluster"},
		`permission +\d+ permissions +ok +granted$`, `object +Deployment podinfo +ok +exists$`, `object +route and Services +ok`, `metric +request-success-rate +ok +is 100% now$`)
	s.shows(0, []string{"status"}, `^No rollouts found in `+s.Name)
	s.initialise()
	s.grant(
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch"}},
	)
	config := s.UserKubeconfig()
	watch := s.Penstock("status", "--watch", "--kubeconfig", config)
	run := s.rollOut(v2)
	s.awaitStep(2)
	s.shows(0, []string{"status", "--kubeconfig", config}, `^podinfo +Progressing +\d+% +\d/5 +0 +<none> +live +\d+s +`+regexp.QuoteMeta(v2)+`$`)
	s.shows(0, []string{"status", "podinfo", "--kubeconfig", config}, `^Run: .* is at work$`, `^Steps:$`, `request-success-rate`, `^History:$`)
	s.shows(2, []string{"pause", "podinfo"}, `its run listens to nobody; it would with --approvals`)
	s.end(run, 0)
	s.shows(0, []string{"status", "--kubeconfig", config}, `^podinfo +Succeeded +0% +5/5 +0 +<none> +none `)
	watch.Interrupt()
	if code := watch.Wait(time.Minute); code != 0 || !regexp.MustCompile(`(?m)^podinfo +Promoting +50% `).MatchString(watch.Stdout()) {
		t.Errorf("the watch ends with %d:\n%s", code, watch.Transcript())
	}
}
