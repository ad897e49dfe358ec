package e2e

import "testing"

// The canary has passed and works, and its copy does not: users go to the canary and stay there, the run fails loudly, and
// nothing is scaled away. A person repairs the primary, and the next run gives it the traffic back.
func TestAPrimaryThatBreaksWhileItIsPromotedLeavesTheTrafficOnTheCanary(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	for provider, weights := range map[string][]int{"gatewayapi:v1": {0, 50, 100}, "nginx": {0, 50, 100}, "kubernetes": {0, 100}} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, deadline(8), func(spec map[string]any) {
				if provider != "kubernetes" {
					analysis("stepWeight", 50)(spec)
				}
			})
			record := s.Record(Canaries())
			s.createCanary()
			s.initialise()
			run := s.rollOut(v2 + "-crash-primary")
			s.end(run, 1)
			line := s.wantLine(run, "HALTED")
			for _, part := range []string{"CrashLoopBackOff", "podinfo-primary", "100%"} {
				if !contains(line.Text, part) {
					t.Errorf("the verdict does not say %q: %s", part, line.Text)
				}
			}
			s.wantWeights(weights...)
			if canary := s.deployment("podinfo"); canary.replicas != 2 || canary.ready != 2 {
				t.Errorf("the canary is %+v, want 2 ready pods", canary)
			}
			s.wantSafe()
			s.wantEvents("Promotion of podinfo." + s.Name + " failed, primary not ready")
			said := shownIn(record)
			if want := (shown{"Failed", "False", "Failed", 100, 0}); len(said) == 0 || said[len(said)-1] != want {
				t.Errorf("the Canary says %+v, want %+v at the end", said, want)
			}

			// Another run while the primary is broken changes nothing for users.
			again := s.rollOut(v3)
			s.end(again, 1)
			s.wantLine(again, "CrashLoopBackOff")
			s.wantWeights(weights...)
			if canary := s.deployment("podinfo"); canary.image != v2+"-crash-primary" || canary.ready != 2 {
				t.Errorf("the canary that carries all traffic is %+v", canary)
			}

			s.SetImage("podinfo-primary", v1) // as kubectl rollout undo
			s.AwaitReady("podinfo-primary")
			s.end(s.rollOut(v3), 0)
			s.wantPromoted(v3)
		})
	}
}
