package e2e

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const scaledToZero = "flagger.app/scale-to-zero"

var daemonSets = appsv1.SchemeGroupVersion.WithResource("daemonsets")

// newDaemonScenario is newScenario with a DaemonSet in the place of the Deployment: one pod on each of the two nodes.
func newDaemonScenario(t *testing.T, provider string, change ...func(spec map[string]any)) *scenario {
	t.Helper()
	s := newScenario(t, provider, append(change, targetKind("apps/v1", "DaemonSet"))...)
	apps := s.cluster.Kube.AppsV1()
	deployment, err := apps.Deployments(s.Name).Get(t.Context(), "podinfo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.dropDeployment("podinfo")
	daemons := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Labels: deployment.Labels},
		Spec:       appsv1.DaemonSetSpec{Selector: deployment.Spec.Selector, Template: deployment.Spec.Template},
	}
	daemons.Spec.Template.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
	if _, err := apps.DaemonSets(s.Name).Create(t.Context(), daemons, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitDaemons("podinfo", 2)
	s.record = s.Record(daemonSets)
	return s
}

func targetKind(apiVersion, kind string) func(map[string]any) {
	return func(spec map[string]any) {
		spec["targetRef"] = map[string]any{"apiVersion": apiVersion, "kind": kind, "name": "podinfo"}
	}
}

// shorten lets the runs from now on fail soon. The first one needs its time on a busy machine.
func (s *scenario) shorten(seconds int) {
	s.t.Helper()
	deadline(seconds)(s.canary["spec"].(map[string]any))
	s.write("canary.yaml", s.canary)
}

// dropDeployment deletes a Deployment and waits until its pods are gone.
func (s *scenario) dropDeployment(name string) {
	s.t.Helper()
	if err := s.cluster.Kube.AppsV1().Deployments(s.Name).Delete(s.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.Await("the pods of "+name+" to be gone", func(ctx context.Context) error {
		pods, err := s.cluster.Kube.CoreV1().Pods(s.Name).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		return unless(len(pods.Items) == 0, "%d are left", len(pods.Items))
	})
}

func (s *scenario) awaitDaemons(name string, want int32) *appsv1.DaemonSet {
	s.t.Helper()
	var found *appsv1.DaemonSet
	s.Await("daemon set "+name+" to be ready", func(ctx context.Context) error {
		d, err := s.cluster.Kube.AppsV1().DaemonSets(s.Name).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found = d
		return unless(d.Status.ObservedGeneration == d.Generation && d.Status.DesiredNumberScheduled == want && d.Status.NumberReady == want &&
			d.Status.UpdatedNumberScheduled == want, "want %d, have %+v", want, d.Status)
	})
	return found
}

// wantDaemons checks what runs in the end: the primary has a pod of the image on each node, the canary none.
func (s *scenario) wantDaemons(primary, canary string) {
	s.t.Helper()
	p, c := s.awaitDaemons("podinfo-primary", 2), s.awaitDaemons("podinfo", 0)
	if got := p.Spec.Template.Spec.Containers[0].Image; got != primary {
		s.t.Errorf("the primary runs %s, want %s", got, primary)
	}
	if got := c.Spec.Template.Spec.Containers[0].Image; got != canary {
		s.t.Errorf("the target's image is %s, want %s", got, canary)
	}
	if got := c.Spec.Template.Spec.NodeSelector; len(got) != 2 || got[scaledToZero] != "true" || got["kubernetes.io/os"] != "linux" {
		s.t.Errorf("the target's node selector is %v", got)
	}
	if got := p.Spec.UpdateStrategy.Type; got != appsv1.RollingUpdateDaemonSetStrategyType {
		s.t.Errorf("the primary's update strategy is %s", got)
	}
	s.wantWeight(0)
	s.wantDaemonsSafe()
}

// wantDaemonsSafe is wantSafe, and what it says of replicas for the node selector of a DaemonSet.
func (s *scenario) wantDaemonsSafe() {
	s.t.Helper()
	s.wantSafe()
	scaled := func(m Moment, name string) bool {
		d := m.Object("DaemonSet", name)
		if d == nil {
			return false
		}
		selector, _, _ := unstructured.NestedStringMap(d.Object, "spec", "template", "spec", "nodeSelector")
		return selector[scaledToZero] != ""
	}
	before := false
	s.record.Replay(func(m Moment) {
		now := scaled(m, "podinfo")
		if weight, _ := s.weight(m); now && !before && weight > 0 {
			s.t.Errorf("%s: the canary was scaled down with %d %% of the traffic", m.Version.At.Format("15:04:05.000"), weight)
		}
		if scaled(m, "podinfo-primary") {
			s.t.Errorf("%s: the primary has the canary's node selector", m.Version.At.Format("15:04:05.000"))
		}
		before = now
	})
}

func TestADaemonSetIsPromotedAndRolledBack(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newDaemonScenario(t, provider)
			first := s.run()
			s.end(first, 0)
			s.wantLine(first, "INITIALISED")
			s.wantDaemons(v1, v1)

			second := s.rollOut(v2)
			s.end(second, 0)
			s.wantLine(second, "PROMOTED")
			s.wantDaemons(v2, v2)

			s.prometheus.Script("", Value(42.5))
			s.prometheus.Script("histogram_quantile", Value(50))
			third := s.rollOut(v3)
			s.end(third, 1)
			s.wantLine(third, "ROLLED BACK")
			s.wantDaemons(v2, v3)
		})
	}
}

func TestADaemonSetWhosePodsFailIsRolledBackAtTheDeadline(t *testing.T) {
	t.Parallel()
	s := newDaemonScenario(t, "gatewayapi:v1")
	s.initialise()
	s.shorten(5)
	run := s.rollOut(v2 + "-badimage")
	s.end(run, 1)
	s.wantLine(run, "ImagePullBackOff")
	s.wantDaemons(v1, v2+"-badimage")
}

func TestADaemonSetThatNoNodeFitsIsSaidAndNotTakenAsReady(t *testing.T) {
	t.Parallel()
	s := newDaemonScenario(t, "gatewayapi:v1")
	s.initialise()
	s.shorten(5)
	patch := `{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/os":"plan9"}}}}}`
	_, err := s.cluster.Kube.AppsV1().DaemonSets(s.Name).Patch(t.Context(), "podinfo", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	run := s.rollOut(v2)
	s.end(run, 1)
	s.wantLine(run, "no node fits its node selector")
	s.wantWeight(0)
	s.wantDaemonsSafe()
	s.AwaitPod("podinfo-primary", "that runs on", func(pod corev1.Pod) bool { return pod.Spec.Containers[0].Image == v1 })
}

func TestADaemonSetThatIsUpdatedByHandIsRefused(t *testing.T) {
	t.Parallel()
	s := newDaemonScenario(t, "gatewayapi:v1")
	patch := `{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`
	_, err := s.cluster.Kube.AppsV1().DaemonSets(s.Name).Patch(t.Context(), "podinfo", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	run := s.run()
	s.end(run, 2)
	s.wantLine(run, `spec.updateStrategy.type: "OnDelete" would leave the primary's old pods running`)
	for _, r := range writes(s.Requests()) {
		t.Errorf("penstock did %s %s %s", r.Verb, r.Resource, r.Name)
	}
}
