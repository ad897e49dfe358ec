package workload_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

func TestPrimaryAndServicesAreAsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"podinfo", "adopted", "ports", "spread", "existing"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load[canary.Canary](t, name, "canary.yaml")
			target, primary := load[appsv1.Deployment](t, name, "target.yaml"), load[appsv1.Deployment](t, name, "primary.yaml")
			refs, err := workload.RefsFor(c)
			if err != nil {
				t.Fatal(err)
			}
			live := canary.Objects{}
			if service := load[map[string]any](t, name, "live.yaml"); service != nil {
				live[refs.Apex] = &unstructured.Unstructured{Object: *service}
			}
			targetBefore, primaryBefore := target.DeepCopy(), primary.DeepCopy()
			rendered, err := workload.RenderPrimary(c, target, primary)
			if err != nil {
				t.Fatal(err)
			}
			services, err := workload.Services(c, target, live, workload.PrimarySide)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(name, "primary.golden.yaml"), rendered)
			golden(t, filepath.Join(name, "services.golden.yaml"), services...)
			if diff := cmp.Diff(targetBefore, target) + cmp.Diff(primaryBefore, primary); diff != "" {
				t.Errorf("the arguments were modified:\n%s", diff)
			}
			copied, err := workload.Read[appsv1.Deployment](rendered)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := workload.PrimaryRevision(copied), workload.Revision(target.Spec.Template); got != want {
				t.Errorf("the primary's revision is %s, the target's %s", got, want)
			}
		})
	}
}

func TestAnApexOfASelectorRouterFollowsTheSide(t *testing.T) {
	t.Parallel()
	c, target := load[canary.Canary](t, "podinfo", "canary.yaml"), load[appsv1.Deployment](t, "podinfo", "target.yaml")
	for side, want := range map[workload.Side]string{workload.PrimarySide: "podinfo-primary", workload.CanarySide: "podinfo"} {
		services, err := workload.Services(c, target, nil, side)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{want, "podinfo-primary", "podinfo"} {
			got, _, _ := unstructured.NestedString(services[i].Object, "spec", "selector", "app")
			if got != want {
				t.Errorf("side %d: %s selects %q, want %q", side, services[i].GetName(), got, want)
			}
		}
	}
}
