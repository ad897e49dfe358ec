package kube

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// scalings records the patches of the target's size and of its autoscaler, in order.
func (f *fixture) scalings() func() []string {
	var mu sync.Mutex
	var seen []string
	f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
		mu.Lock()
		defer mu.Unlock()
		if r.Verb == "patch" && r.Name == "podinfo" && (r.Resource == soGVR || r.Subresource == "scale") {
			seen = append(seen, r.Resource.Resource)
		}
		return rehearsal.APIFault{}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		all := seen
		seen = nil
		return all
	}
}

func TestAScaledObjectIsPausedWhileTheCanaryIsDown(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(soYAML)
		w := f.world()
		seen := f.scalings()
		revision := f.initialise(w)
		want := rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero}
		annotation := func() string { return f.get(soGVR, "podinfo").GetAnnotations()["autoscaling.keda.sh/paused-replicas"] }
		both := []string{"scaledobjects", "deployments"}
		f.apply(w, want)
		if got := seen(); !slices.Equal(got, both) || annotation() != "0" {
			t.Errorf("down: %v, annotation %q", got, annotation())
		}
		pass(time.Minute)
		if o := f.observe(w); o.Target.Replicas != 0 || o.Target.Scaler != "ScaledObject podinfo 1..3, paused at 0" {
			t.Errorf("while down: %+v", o.Target)
		}
		if primary := f.get(soGVR, "podinfo-primary").GetAnnotations(); primary["autoscaling.keda.sh/paused-replicas"] != "" {
			t.Errorf("the primary's is paused: %v", primary)
		}
		f.apply(w, want)
		if got := seen(); len(got) > 0 {
			t.Errorf("down again: %v", got)
		}
		want.Canary = rollout.ScaleUp
		f.apply(w, want)
		if got := seen(); !slices.Equal(got, both) || annotation() != "" {
			t.Errorf("up: %v, annotation %q", got, annotation())
		}
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready || o.Target.Replicas != 1 {
			t.Errorf("up: %+v, want as many as the autoscaler's fewest", o.Target)
		}
	})
}

func TestAnAutoscalerIsNotTouchedWithoutTheLease(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(soYAML)
		w := f.world()
		revision := f.initialise(w)
		f.lost.Store(true)
		before := f.requests()
		want := rollout.World{Touch: true, Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero}
		if err := w.Apply(f.ctx, want); !errors.Is(err, ErrSuperseded) || len(f.sent(before)) > 0 {
			t.Errorf("%v, requests %v", err, f.sent(before))
		}
	})
}

func TestACanaryThatItsAutoscalerMakesLargerIsNotOneThatLostPods(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(hpaYAML)
		w := f.world()
		f.initialise(w)
		if o := f.observe(w); !o.Target.Ready || o.Target.Resizing {
			t.Fatalf("at first: %+v", o.Target)
		}
		f.edit(hpaGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, int64(4), "spec", "minReplicas")
		})
		pass(50 * time.Millisecond) // the new pods are not ready yet
		if o := f.observe(w); o.Target.Ready || !o.Target.Resizing || o.Primary.Resizing || !strings.Contains(o.Target.Scaler, "4..4, now 4") {
			t.Errorf("while it grows: %+v", o.Target)
		}
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready || o.Target.Resizing {
			t.Errorf("after it has grown: %+v", o.Target)
		}
		f.state.Store(int64(rehearsal.PodNotReady))
		f.control.Reconcile()
		pass(10 * time.Second)
		if o := f.observe(w); o.Target.Ready || o.Target.Resizing {
			t.Errorf("when its pods are no longer ready: %+v", o.Target)
		}
	})
}
