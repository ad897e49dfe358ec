package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// At the end of an uninstall the router serves the apex as if there had never been a canary, and no moment of the way
// there is without somebody who answers.
func TestAnUninstallHandsTheRouteBack(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			s.initialise()
			s.end(s.run("--uninstall"), 0)
			last := s.wantServedThroughout("podinfo")
			if got := s.deployment("podinfo"); got.ready != 2 {
				t.Errorf("the target is %+v, want 2 ready pods", got)
			}
			if last.Object("Ingress", "podinfo-canary") != nil {
				t.Error("the canary Ingress is left")
			}
			if provider != "gatewayapi:v1" {
				return
			}
			rules := s.rules()
			if diff := cmp.Diff([]string{"podinfo 1"}, rules[len(rules)-1]); diff != "" {
				t.Errorf("the rules (-want +got):\n%s", diff)
			}
			route := last.Object("HTTPRoute", "podinfo")
			if len(route.GetOwnerReferences()) > 0 {
				t.Errorf("the route belongs to %v", route.GetOwnerReferences())
			}
			for key := range route.GetAnnotations() {
				if strings.Contains(key, "toolkit.fluxcd.io") || key == "penstock.dev/canary" {
					t.Errorf("the marker %s is left", key)
				}
			}
		})
	}
}

// wantServedThroughout checks that a Service, once it had a ready endpoint, always had one, and returns the last moment.
func (s *scenario) wantServedThroughout(service string) (last Moment) {
	s.t.Helper()
	served := false
	s.record.Replay(func(m Moment) {
		ready := m.ReadyEndpoints(service)
		if served && ready == 0 {
			s.t.Errorf("the Service lost its last endpoint at %s by %s", m.Version.At.Format("15:04:05.000"), m.Version.key())
		}
		served, last = served || ready > 0, m
	})
	if !served {
		s.t.Errorf("Service %s never had a ready endpoint", service)
	}
	return last
}

// The other kinds of targets get their traffic back in the same way, and the copies that were made for them go.
func TestAnUninstallHandsEveryKindOfTargetItsTrafficBack(t *testing.T) {
	t.Parallel()
	t.Run("DaemonSet", func(t *testing.T) {
		t.Parallel()
		s := newDaemonScenario(t, "gatewayapi:v1")
		s.initialise()
		s.wantDaemons(v1, v1)
		s.end(s.run("--uninstall"), 0)
		daemons := s.awaitDaemons("podinfo", 2)
		if selector := daemons.Spec.Template.Spec.NodeSelector; selector[scaledToZero] != "" {
			t.Errorf("the target's node selector is %v", selector)
		}
		s.awaitGone(daemonSets, "podinfo-primary")
		s.wantServedThroughout("podinfo")
	})
	t.Run("Service", func(t *testing.T) {
		t.Parallel()
		s := newServiceScenario(t, "gatewayapi:v1")
		s.initialise()
		s.end(s.run("--uninstall"), 0)
		s.wantSelectors(map[string]string{"podinfo": "blue"})
		services := corev1.SchemeGroupVersion.WithResource("services")
		s.awaitGone(services, "podinfo-primary")
		s.awaitGone(services, "podinfo-canary")
		s.wantServedThroughout("podinfo")
	})
	t.Run("tracked configs", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, "gatewayapi:v1")
		s.configure()
		s.initialise()
		s.wantCopied()
		s.end(s.run("--uninstall"), 0)
		for _, kind := range []string{"configmaps", "secrets"} {
			list, err := s.cluster.Dynamic.Resource(corev1.SchemeGroupVersion.WithResource(kind)).Namespace(s.Name).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range list.Items {
				if strings.HasSuffix(o.GetName(), "-primary") || strings.HasPrefix(o.GetName(), "penstock-") {
					t.Errorf("%s %s is left", kind, o.GetName())
				}
			}
		}
		s.wantServedThroughout("podinfo")
	})
}

// awaitGone waits until an object is deleted.
func (s *scenario) awaitGone(resource schema.GroupVersionResource, name string) {
	s.t.Helper()
	s.Await(resource.Resource+" "+name+" to be gone", func(ctx context.Context) error {
		_, err := s.cluster.Dynamic.Resource(resource).Namespace(s.Name).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = errors.New("it is there still")
		}
		return err
	})
}
