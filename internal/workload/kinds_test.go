package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

func TestWhatATargetOfAKindCannotDoIsSaid(t *testing.T) {
	t.Parallel()
	refs := func(change func(*canary.Canary)) error { _, err := workload.RefsFor(serviceCanary(change)); return err }
	check := func(c *canary.Canary, w *workload.Workload) error { return workload.Check(c, w) }
	primary := func(c *canary.Canary, target, live *workload.Workload) error {
		_, err := workload.RenderPrimary(c, target, live)
		return err
	}
	services := func(port string) error {
		c := newCanary(nil)
		refs, err := workload.RefsFor(c)
		if err != nil {
			return err
		}
		before := untyped(t, newService(func(s *corev1.Service) { s.Spec.Ports = *parse[[]corev1.ServicePort](t, port) }))
		_, err = workload.Services(c, live(t, newTarget(nil)), nil, canary.Objects{refs.Apex: before})
		return err
	}
	ours := func(address string) *corev1.Service {
		return newService(func(s *corev1.Service) {
			s.Name, s.Spec.ClusterIP = "podinfo-primary", address
			s.Annotations = map[string]string{workload.CanaryAnnotation: "podinfo"}
		})
	}
	_, imageErr := workload.SetImage(live(t, newService(nil)), map[string]string{"podinfo": "podinfo:2"})
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"another API version of a DaemonSet": {
			refs(func(c *canary.Canary) {
				c.Spec.TargetRef = canary.ObjectRef{APIVersion: "v1", Kind: "DaemonSet", Name: "podinfo"}
			}),
			`spec.targetRef.apiVersion: "v1" is not supported for a DaemonSet; supported is apps/v1`,
		},
		"another API version of a Service": {
			refs(func(c *canary.Canary) { c.Spec.TargetRef.APIVersion = "serving.knative.dev/v1beta1" }),
			`spec.targetRef.apiVersion: "serving.knative.dev/v1beta1" is not supported for a Service; supported is v1, serving.knative.dev/v1`,
		},
		"an Ingress that sends to the target": {
			refs(func(c *canary.Canary) { c.Spec.IngressRef = &canary.ObjectRef{Name: "web"} }),
			`spec.service.name: it is "podinfo", the target itself, to which Ingress "web" would send the primary's share too; give it another name, and let the Ingress point at that`,
		},
		"an apex with the name of a copy": {
			refs(func(c *canary.Canary) { c.Spec.Service.Name = "podinfo-canary" }),
			`spec.service.name: "podinfo-canary" is the name of a copy of the target; give it another one`,
		},
		"a target with the name of a copy": {
			refs(func(c *canary.Canary) { c.Spec.TargetRef.Name, c.Spec.Service.Name = "web-primary", "web" }),
			`spec.service.name: a copy of the target would be called "web-primary", as the target is; give it another name`,
		},
		"a port that the Service does not have": {
			check(serviceCanary(func(c *canary.Canary) { c.Spec.Service.Port = 81 }), live(t, newService(nil))),
			`spec.service.port: 81 is not a port of Service "shop/podinfo", to whose copies the route sends; it has 80`,
		},
		"an image of a Service": {
			imageErr,
			`set image: Service "shop/podinfo" has no containers; a new revision of it is a change of its spec.selector or spec.ports`,
		},
		"a primary's Service that was there before": {
			primary(serviceCanary(nil), live(t, newService(nil)), live(t, newService(func(s *corev1.Service) { s.Name = "podinfo-primary" }))),
			`Service "shop/podinfo-primary" was there before, and the primary needs its name; delete it, or give spec.service.name another name`,
		},
		"a primary's Service that cannot become headless": {
			primary(serviceCanary(nil), live(t, newService(func(s *corev1.Service) { s.Spec.ClusterIP = "None" })), live(t, ours("10.0.0.1"))),
			`Service "shop/podinfo-primary" has the cluster IP 10.0.0.1, and Kubernetes does not let a Service become headless, or stop being it; delete it, so that it is made anew`,
		},
		"a DaemonSet whose pods are replaced by hand": {
			check(newCanary(nil), live(t, newDaemonSet(func(d *appsv1.DaemonSet) { d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType }))),
			`DaemonSet "shop/podinfo": spec.updateStrategy.type: "OnDelete" would leave the primary's old pods running at a promotion; supported is RollingUpdate`,
		},
		"another port with the name of the canary's": {
			services(`[{name: http, port: 8080}]`),
			`Service "shop/podinfo" has the port 8080 too, which is called "http" as well; remove that port, or give spec.service.portName another name`,
		},
		"another port without a name": {
			services(`[{port: 8080}]`),
			`Service "shop/podinfo" has the port 8080 too, which needs a name when it is not the only one; remove that port, or give it a name`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, test.err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheSharedLabelIsSaidByWhoeverIsThere(t *testing.T) {
	t.Parallel()
	target := live(t, newTarget(nil))
	primary := live(t, newTarget(func(d *appsv1.Deployment) {
		d.Spec.Selector.MatchLabels = map[string]string{"name": "x", "app": "podinfo-primary"}
	}))
	for name, of := range map[string][2]*workload.Workload{
		"both": {target, primary}, "the target alone": {target, nil}, "a primary whose target is gone": {nil, primary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if key, value, err := workload.SharedLabel(of[0], of[1]); err != nil || key != "app" || value != "podinfo" {
				t.Errorf("%s=%s, %v", key, value, err)
			}
		})
	}
	if _, _, err := workload.SharedLabel(nil, target); err == nil {
		t.Error("a primary without the suffix tells nothing from nothing")
	}
}
