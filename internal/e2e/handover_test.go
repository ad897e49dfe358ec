package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
