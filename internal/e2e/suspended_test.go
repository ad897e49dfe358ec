package e2e

import (
	"slices"
	"testing"
)

// A run leaves its gate to a server that does what it counts on, and to no other. An operator opens the gate while nobody is
// at work, and the next run goes on from there.
func TestAnOperatorOpensTheGateOfASuspendedRollout(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "2s"), analysis("maxWeight", 20))
	s.initialise()
	s.write("policy.yaml", map[string]any{
		"operators": true, "groups": []any{map[string]any{"name": "anybody", "users": []any{4}, "count": 1}},
	})
	forge := newGitHub(t, 0)
	s.allow(s.server(), s.renderRBAC("--view"))
	s.serve(forge, "127.0.0.1:0")
	leaves := []string{
		"--approvals", "server", "--approve", "confirm-promotion", "--approval-policy", "policy.yaml", "--on-gate", "suspend", "--watchdog", "server",
	}
	release := slices.Concat([]string{"--image", "podinfo=" + v2}, leaves)

	refused := s.runWith(s.job(forge), slices.Concat(release, []string{"--resume", "protection-rule:production"})...)
	s.end(refused, 2)
	s.wantLine(refused, "it does not start a run by protection-rule:production (penstock serve --github-app-id)")
	s.wantWeights(0)

	s.end(s.runWith(s.job(forge), release...), 0)
	s.wantWeights(0, 10, 20)
	approve := s.Penstock("approve", "podinfo", "-n", s.Name)
	s.end(approve, 0)
	s.wantLine(approve, "the gate confirm-promotion is open, and the next run goes on from there")
	s.end(s.runWith(s.job(forge), leaves...), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 0)
	s.wantSafe()
}
