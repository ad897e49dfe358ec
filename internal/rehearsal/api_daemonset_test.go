package rehearsal

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func agents(image string, nodeSelector map[string]string) *appsv1.DaemonSet {
	from := podinfo(1, image)
	d := &appsv1.DaemonSet{ObjectMeta: from.ObjectMeta, Spec: appsv1.DaemonSetSpec{Selector: from.Spec.Selector, Template: from.Spec.Template}}
	d.Spec.Template.Spec.NodeSelector = nodeSelector
	return d
}

func (c *apiTest) daemonsAfter(t *testing.T, d time.Duration) *appsv1.DaemonSet {
	t.Helper()
	pass(d)
	return mustDo[*appsv1.DaemonSet](t)(c.typed.AppsV1().DaemonSets("test").Get(c.ctx, "podinfo", metav1.GetOptions{}))
}

func (c *apiTest) patchDaemons(t *testing.T, patch string) {
	t.Helper()
	mustDo[*appsv1.DaemonSet](t)(c.typed.AppsV1().DaemonSets("test").Patch(c.ctx, "podinfo", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}))
}

func TestAPIDaemonSetRunsOnEveryNodeThatFits(t *testing.T) {
	t.Parallel()
	options := ControllerOptions{NodeLabels: map[string]string{"disk": "ssd"}}
	for name, test := range map[string]struct {
		selector map[string]string
		want     int
	}{
		"no node selector is every node":                  {nil, 2},
		"a label that every node has":                     {map[string]string{"kubernetes.io/os": "linux"}, 2},
		"a label that was given to the nodes":             {map[string]string{"disk": "ssd"}, 2},
		"the name of a node":                              {map[string]string{"kubernetes.io/hostname": "node-2"}, 1},
		"a label that no node has, as in a scale to zero": {map[string]string{"flagger.app/scale-to-zero": "true"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withCluster(t, options, func(t *testing.T, c *apiTest, _ *Controllers) {
				mustDo[*appsv1.DaemonSet](t)(c.typed.AppsV1().DaemonSets("test").Create(c.ctx, agents("podinfo:1", test.selector), metav1.CreateOptions{}))
				d := c.daemonsAfter(t, time.Second)
				want := appsv1.DaemonSetStatus{
					CurrentNumberScheduled: int32(test.want), DesiredNumberScheduled: int32(test.want), NumberReady: int32(test.want),
					NumberAvailable: int32(test.want), UpdatedNumberScheduled: int32(test.want), ObservedGeneration: 1,
				}
				if d.Status.String() != want.String() || len(c.podsOf(t)) != test.want {
					t.Errorf("%d pods, %+v", len(c.podsOf(t)), d.Status)
				}
			})
		})
	}
}

func TestAPIDaemonSetRollsToANewTemplateNodeByNode(t *testing.T) {
	t.Parallel()
	withCluster(t, ControllerOptions{}, func(t *testing.T, c *apiTest, _ *Controllers) {
		mustDo[*appsv1.DaemonSet](t)(c.typed.AppsV1().DaemonSets("test").Create(c.ctx, agents("podinfo:1", nil), metav1.CreateOptions{}))
		c.daemonsAfter(t, time.Second)
		c.patchDaemons(t, `{"spec":{"template":{"spec":{"containers":[{"name":"podinfod","image":"podinfo:2"}]}}}}`)
		mixed := false
		for range 20 {
			d := c.daemonsAfter(t, 50*time.Millisecond)
			if d.Status.NumberAvailable < 1 {
				t.Fatalf("more than one pod is missing: %+v", d.Status)
			}
			mixed = mixed || d.Status.UpdatedNumberScheduled == 1
		}
		d := c.daemonsAfter(t, time.Second)
		old := slices.ContainsFunc(c.podsOf(t), func(p corev1.Pod) bool { return p.Spec.Containers[0].Image != "podinfo:2" })
		if !mixed || old || d.Status.UpdatedNumberScheduled != 2 || d.Status.NumberAvailable != 2 || d.Status.ObservedGeneration != 2 {
			t.Errorf("mixed %v, old pods %v, %+v", mixed, old, d.Status)
		}
		settled := c.api.current()
		if c.daemonsAfter(t, time.Hour); c.api.current() != settled {
			t.Errorf("the controllers wrote %d times while nothing happened", c.api.current()-settled)
		}
	})
}

func TestAPIDaemonSetIsScaledToZeroAndBack(t *testing.T) {
	t.Parallel()
	withCluster(t, ControllerOptions{}, func(t *testing.T, c *apiTest, _ *Controllers) {
		mustDo[*appsv1.DaemonSet](t)(c.typed.AppsV1().DaemonSets("test").Create(c.ctx, agents("podinfo:1", nil), metav1.CreateOptions{}))
		c.daemonsAfter(t, time.Second)
		c.patchDaemons(t, `{"spec":{"template":{"spec":{"nodeSelector":{"flagger.app/scale-to-zero":"true"}}}}}`)
		if d := c.daemonsAfter(t, time.Second); d.Status.DesiredNumberScheduled != 0 || len(c.podsOf(t)) != 0 {
			t.Errorf("down: %+v", d.Status)
		}
		c.patchDaemons(t, `{"spec":{"template":{"spec":{"nodeSelector":{"flagger.app/scale-to-zero":null}}}}}`)
		if d := c.daemonsAfter(t, time.Second); d.Status.NumberAvailable != 2 {
			t.Errorf("up: %+v", d.Status)
		}
		if err := c.typed.AppsV1().DaemonSets("test").Delete(c.ctx, "podinfo", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if pass(time.Second); len(c.podsOf(t)) != 0 {
			t.Error("pods outlive their DaemonSet")
		}
	})
}

func TestAPIDaemonSetIsCheckedAsADeploymentIs(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		sets := c.typed.AppsV1().DaemonSets("test")
		wrong := agents("podinfo:1", nil)
		wrong.Spec.Template.Labels = map[string]string{"app": "other"}
		if _, err := sets.Create(c.ctx, wrong, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "does not match template") {
			t.Errorf("a template that the selector does not match: %v", err)
		}
		live := mustDo[*appsv1.DaemonSet](t)(sets.Create(c.ctx, agents("podinfo:1", nil), metav1.CreateOptions{}))
		if live.Spec.UpdateStrategy.RollingUpdate == nil || live.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable.IntVal != 1 {
			t.Errorf("no defaults: %+v", live.Spec.UpdateStrategy)
		}
		live.Spec.Selector.MatchLabels, live.Spec.Template.Labels = map[string]string{"app": "x"}, map[string]string{"app": "x"}
		if _, err := sets.Update(c.ctx, live, metav1.UpdateOptions{}); err == nil || !strings.Contains(err.Error(), "field is immutable") {
			t.Errorf("another selector: %v", err)
		}
	})
}
