package e2e

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Who comes from Flagger has a primary that Flagger made and a target that is scaled to zero. The primary is taken over
// as it is, and what a later revision no longer has goes away, although Flagger owned it.
func TestAPrimaryThatFlaggerMadeIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			deployments := s.cluster.Kube.AppsV1().Deployments(s.Name)
			target, err := deployments.Get(t.Context(), "podinfo", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]string{"app": "podinfo-primary"}
			primary := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "podinfo-primary", Labels: labels},
				Spec: appsv1.DeploymentSpec{
					Replicas: target.Spec.Replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
					Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: target.Spec.Template.Spec},
				},
			}
			primary.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "OLD", Value: "1"}}
			primary.Spec.Template.Spec.Containers[0].Image = "podinfo:0.9.0"
			if _, err := deployments.Create(t.Context(), primary, metav1.CreateOptions{FieldManager: "flagger"}); err != nil {
				t.Fatal(err)
			}
			s.AwaitReady("podinfo-primary")
			s.service("podinfo", "podinfo-primary")
			if err := s.scale(t.Context(), "podinfo", 0); err != nil {
				t.Fatal(err)
			}
			run := s.rollOut(v2)
			s.end(run, 0)
			s.wantPromoted(v2)
			s.wantSafe()
			if provider != "kubernetes" { // one analysis, of the image that was asked for
				s.wantWeights(0, 10, 20, 30, 40, 50, 0)
			}
			after, err := deployments.Get(t.Context(), "podinfo-primary", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if env := after.Spec.Template.Spec.Containers[0].Env; len(env) > 0 {
				t.Errorf("the primary still has %v", env)
			}
		})
	}
}

func TestTwoRunsAtOnceDoNotMeet(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 25))
	s.initialise()
	first, second := s.rollOut(v2), s.rollOut(v2)
	s.endLater(first, 0)
	s.endLater(second, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 25, 50, 0)
	s.wantSafe()
	if !contains(first.Stderr()+second.Stderr(), "UNCHANGED") {
		t.Error("neither run says that there was nothing to do")
	}
}

// However often the machine is lost, the rollout goes on from where it was, and ends.
func TestARunThatIsKilledAgainAndAgainEndsPromoted(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	for _, at := range []func(saved) bool{
		func(r saved) bool { return r.Status.Phase == "Initializing" },
		func(r saved) bool { return r.Status.Phase == "Progressing" && r.Status.Step == 0 },
		func(r saved) bool { return r.Status.Step == 3 },
		func(r saved) bool { return r.Status.Phase == "Promoting" },
	} {
		run := s.rollOut(v2)
		s.awaitRecord("where to kill the run", at)
		run.Kill()
	}
	s.endLater(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}
