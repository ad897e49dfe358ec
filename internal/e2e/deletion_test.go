package e2e

import "testing"

// A Canary that is deleted while a run holds it goes only when the target has its traffic back: at no moment is there
// nobody who answers, although Kubernetes takes away all that the Canary owned.
func TestACanaryThatIsDeletedDuringARunHandsItsTrafficBack(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	for _, provider := range []string{"gatewayapi:v1", "nginx"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, analysis("interval", "60s"), func(spec map[string]any) { spec["revertOnDeletion"] = true })
			s.createCanary()
			s.grantRendered()
			s.end(s.run("--kubeconfig", s.UserKubeconfig()), 0)
			run := s.rollOut(v2, "--kubeconfig", s.UserKubeconfig())
			s.awaitWeight(10)
			remove := s.Kubectl("delete", "canary", "podinfo", "--timeout=60s")
			s.end(run, 1)
			s.wantLine(run, "was deleted during the run")
			if code := remove.Wait(patience); code != 0 {
				t.Errorf("kubectl delete ended with %d: %s", code, remove.Stderr())
			}
			s.wantServedThroughout("podinfo")
			if got := s.deployment("podinfo"); got.ready != 2 {
				t.Errorf("the target is %+v, want 2 ready pods", got)
			}
		})
	}
}
