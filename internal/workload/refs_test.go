package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

func newCanary(change func(*canary.Canary)) *canary.Canary {
	c := &canary.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop", UID: "u1"}}
	c.Spec.TargetRef = canary.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	c.Spec.Service.Port = 80
	if change != nil {
		change(c)
	}
	return c
}

func newTarget(change func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo"}}
	d.Spec.Template.Labels = map[string]string{"app": "podinfo"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "podinfo", Image: "podinfo:1"}}
	if change != nil {
		change(d)
	}
	return d
}

func TestRefsName(t *testing.T) {
	t.Parallel()
	refs, err := workload.RefsFor(newCanary(func(c *canary.Canary) { c.Spec.Service.Name = "web" }))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range []canary.Ref{refs.Target, refs.Primary, refs.Apex, refs.PrimaryService, refs.CanaryService} {
		got = append(got, r.Resource+" "+r.String())
	}
	want := []string{
		`deployments Deployment "shop/podinfo"`, `deployments Deployment "shop/podinfo-primary"`,
		`services Service "shop/web"`, `services Service "shop/web-primary"`, `services Service "shop/web-canary"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeDoneIsAnErrorThatSaysWhatCan(t *testing.T) {
	t.Parallel()
	owned := func(kind, name string, uid string) *unstructured.Unstructured {
		yes := true
		o := &unstructured.Unstructured{Object: map[string]any{"kind": "Service"}}
		o.SetNamespace("shop")
		o.SetName("podinfo")
		o.SetOwnerReferences([]metav1.OwnerReference{{Kind: kind, Name: name, UID: "u0", Controller: &yes}})
		if uid != "" {
			o.SetOwnerReferences([]metav1.OwnerReference{{Kind: kind, Name: name, UID: "u9", Controller: &yes}})
		}
		return o
	}
	refsOf := func(c *canary.Canary) error { _, err := workload.RefsFor(c); return err }
	label := func(labels map[string]string) error {
		_, _, err := workload.Label(live(t, newTarget(func(d *appsv1.Deployment) { d.Spec.Selector.MatchLabels = labels })))
		return err
	}
	primary := func(change func(*appsv1.Deployment)) error {
		_, err := workload.RenderPrimary(newCanary(nil), live(t, newTarget(nil)), live(t, newTarget(func(d *appsv1.Deployment) {
			d.Name = "podinfo-primary"
			d.Spec.Selector.MatchLabels = map[string]string{"app": "podinfo-primary"}
			change(d)
		})))
		return err
	}
	services := func(c *canary.Canary, service *unstructured.Unstructured) error {
		objects := canary.Objects{}
		if service != nil {
			refs, err := workload.RefsFor(c)
			if err != nil {
				return err
			}
			objects[refs.Apex] = service
		}
		_, err := workload.Services(c, live(t, newTarget(nil)), nil, objects)
		return err
	}
	images := func(images map[string]string) error {
		_, err := workload.SetImage(live(t, newTarget(nil)), images)
		return err
	}
	long := "a23456789-123456789-123456789-123456789-123456789-123456789"
	tests := map[string]struct {
		err  error
		want string
	}{
		"a kind that is not supported": {
			refsOf(newCanary(func(c *canary.Canary) { c.Spec.TargetRef.Kind = "StatefulSet" })),
			`spec.targetRef.kind: "StatefulSet" is not supported; supported are DaemonSet, Deployment, Service`,
		},
		"an API version that is not supported": {
			refsOf(newCanary(func(c *canary.Canary) { c.Spec.TargetRef.APIVersion = "extensions/v1beta1" })),
			`spec.targetRef.apiVersion: "extensions/v1beta1" is not supported for a Deployment; supported is apps/v1`,
		},
		"a target in another namespace": {
			refsOf(newCanary(func(c *canary.Canary) { c.Spec.TargetRef.Namespace = "other" })),
			`spec.targetRef.namespace: "other" is not the canary's namespace "shop"; leave it out`,
		},
		"a selector without a usable label": {
			label(map[string]string{"tier": "web", "k8s-app": "podinfo"}),
			`Deployment "shop/podinfo": spec.selector.matchLabels has k8s-app=podinfo, tier=web, none of which tells the canary's pods from the primary's; needed is one of app, name, app.kubernetes.io/name`,
		},
		"a selector without labels": {
			label(nil),
			`Deployment "shop/podinfo": spec.selector.matchLabels has no labels, none of which tells the canary's pods from the primary's; needed is one of app, name, app.kubernetes.io/name`,
		},
		"a label value with no room for the suffix": {
			label(map[string]string{"app": long}),
			`Deployment "shop/podinfo": spec.selector.matchLabels: app: "` + long + `" cannot get the suffix -primary: must be no more than 63 bytes`,
		},
		"a primary of another canary": {
			primary(func(d *appsv1.Deployment) {
				d.OwnerReferences = owned("Canary", "other", "").GetOwnerReferences()
			}),
			`Deployment "shop/podinfo-primary" belongs to Canary "other", not to Canary "podinfo"`,
		},
		"a primary made for another canary without an object": {
			primary(func(d *appsv1.Deployment) {
				d.Annotations = map[string]string{workload.CanaryAnnotation: "other"}
			}),
			`Deployment "shop/podinfo-primary" was made for Canary "other", not for "podinfo"; two canaries cannot share it`,
		},
		"a primary whose selector does not fit": {
			primary(func(d *appsv1.Deployment) { d.Spec.Selector.MatchLabels = map[string]string{"name": "podinfo-primary"} }),
			`Deployment "shop/podinfo-primary" selects "name=podinfo-primary", which pods with the labels app=podinfo-primary do not match; delete it, so that it is made anew`,
		},
		"a Service of another controller": {
			services(newCanary(nil), owned("Ingressor", "x", "")),
			`Service "shop/podinfo" belongs to Ingressor "x", not to Canary "podinfo"`,
		},
		"a Service of an earlier canary of that name": {
			services(newCanary(nil), owned("Canary", "podinfo", "u9")),
			`Service "shop/podinfo" belongs to an earlier Canary "podinfo" (uid u9, now u1), and Kubernetes removes it with that one; run again when it is gone`,
		},
		"no port": {
			services(newCanary(func(c *canary.Canary) { c.Spec.Service.Port = 0 }), nil),
			`spec.service.port: 0 is not between 1 and 65535`,
		},
		"an unknown container and an empty image": {
			images(map[string]string{"nope": "x:1", "podinfo": ""}),
			`set image: Deployment "shop/podinfo" has no container "nope"; it has podinfo; image of container "podinfo": "" is not an image reference`,
		},
	}
	for name, test := range tests {
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
