package e2e

import (
	"fmt"
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// newServiceScenario is a canary whose target is the Service podinfo, in front of the Deployments blue, where it points,
// and green.
func newServiceScenario(t *testing.T, provider string, change ...func(spec map[string]any)) *scenario {
	t.Helper()
	// The builtin checks of most routers ask by the names of the target's pods, which a Service does not have.
	metrics := []any{map[string]any{
		"name": "success", "interval": "1m", "thresholdRange": map[string]any{"min": 99},
		"query": `avg(success{service="{{ target }}-canary"})`,
	}}
	s := newScenario(t, provider, append([]func(map[string]any){targetKind("v1", "Service"), analysis("metrics", metrics)}, change...)...)
	s.dropDeployment("podinfo")
	for name, image := range map[string]string{"blue": v1, "green": v2} {
		s.App(name, image, 2)
		s.AwaitReady(name)
	}
	s.service("podinfo", "blue")
	s.record = s.Record()
	return s
}

// point changes the selector of the target, as a deployment from CI does.
func (s *scenario) point(at string) {
	s.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"selector":{"app":%q}}}`, at)
	_, err := s.cluster.Kube.CoreV1().Services(s.Name).Patch(s.t.Context(), "podinfo", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// wantSelectors checks what the Services select in the end.
func (s *scenario) wantSelectors(want map[string]string) {
	s.t.Helper()
	for name, app := range want {
		service, err := s.cluster.Kube.CoreV1().Services(s.Name).Get(s.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		if got := service.Spec.Selector; !maps.Equal(got, map[string]string{"app": app}) {
			s.t.Errorf("%s selects %v, want app=%s", name, got, app)
		}
	}
}

// wantServiceSafe checks every moment: whoever gets traffic has a ready pod, the primary always, and nothing of penstock
// ever writes to the target.
func (s *scenario) wantServiceSafe() {
	s.t.Helper()
	initialised := false
	s.record.Replay(func(m Moment) {
		at := m.Version.At.Format("15:04:05.000") + " " + m.Version.key()
		initialised = initialised || m.ReadyEndpoints("podinfo-primary") > 0
		if initialised && m.ReadyEndpoints("podinfo-primary") == 0 {
			s.t.Errorf("%s: the primary has no ready endpoint", at)
		}
		if weight, _ := s.weight(m); weight > 0 && m.ReadyEndpoints("podinfo-canary") == 0 {
			s.t.Errorf("%s: the canary has %d %% of the traffic and no ready endpoint", at, weight)
		}
	})
	for _, r := range writes(s.Requests()) {
		if r.Resource == "services" && r.Name == "podinfo" {
			s.t.Errorf("penstock did %s the target", r.Verb)
		}
	}
}

func TestAServiceIsPromotedAndRolledBackByItsSelector(t *testing.T) {
	t.Parallel()
	s := newServiceScenario(t, "gatewayapi:v1")
	s.initialise()
	s.wantSelectors(map[string]string{"podinfo": "blue", "podinfo-primary": "blue", "podinfo-canary": "blue"})

	s.point("green")
	run := s.run()
	s.end(run, 0)
	s.wantLine(run, "PROMOTED")
	s.wantSelectors(map[string]string{"podinfo": "green", "podinfo-primary": "green", "podinfo-canary": "green"})
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)

	s.prometheus.Script("", Value(42.5))
	s.point("blue")
	run = s.run()
	s.end(run, 1)
	s.wantLine(run, "ROLLED BACK")
	s.wantSelectors(map[string]string{"podinfo": "blue", "podinfo-primary": "green", "podinfo-canary": "blue"})
	s.wantWeight(0)
	s.wantServiceSafe()
}

func TestAServiceThatSelectsNothingThatIsReadyGetsNoTraffic(t *testing.T) {
	t.Parallel()
	s := newServiceScenario(t, "gatewayapi:v1")
	s.initialise()
	s.shorten(5)
	s.App("red", v3+"-badimage", 1)
	s.point("red")
	run := s.run()
	s.end(run, 1)
	s.wantLine(run, "it selects app=red, ")
	s.wantSelectors(map[string]string{"podinfo-primary": "blue"})
	s.wantWeights(0)
	s.wantServiceSafe()
}

func TestAServiceBehindAnIngressHasAnApexOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newServiceScenario(t, "nginx", func(spec map[string]any) { spec["service"].(map[string]any)["name"] = "web" })
	ingresses := s.cluster.Kube.NetworkingV1().Ingresses(s.Name)
	patch := `[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"web"}]`
	if _, err := ingresses.Patch(t.Context(), "podinfo", types.JSONPatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	s.initialise()
	s.wantSelectors(map[string]string{"podinfo": "blue", "web": "blue", "web-primary": "blue", "web-canary": "blue"})
	s.point("green")
	s.end(s.run(), 0)
	s.wantSelectors(map[string]string{"podinfo": "green", "web": "green", "web-primary": "green", "web-canary": "green"})
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
}

func TestWhatAServiceTargetCannotDoIsSaidBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider string
		args     []string
		want     string
	}{
		"a router that rewrites selectors": {"kubernetes", nil, "spec.targetRef.kind: the kubernetes router moves traffic"},
		"an Ingress that sends to the target": {
			"nginx", nil, `spec.service.name: it is "podinfo", the target itself, to which Ingress "podinfo" would send the primary's share too`,
		},
		"an image":                     {"gatewayapi:v1", []string{"--image", "podinfo=" + v2}, "has no containers; a new revision of it is a change of its spec.selector"},
		"a port that it does not have": {"gatewayapi:v1", nil, "spec.service.port: 8080 is not a port of Service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServiceScenario(t, c.provider, func(spec map[string]any) {
				if contains(c.want, "8080") {
					spec["service"].(map[string]any)["port"] = 8080
				}
			})
			run := s.run(c.args...)
			s.end(run, 2)
			s.wantLine(run, c.want)
			for _, r := range writes(s.Requests()) {
				t.Errorf("penstock did %s %s %s", r.Verb, r.Resource, r.Name)
			}
		})
	}
}

// A run needs what its preflight asks for, and nothing more, whatever the kind of its target.
func TestTheRoleForATargetOfAnotherKindIsEnough(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		make func(*testing.T) *scenario
		next func(s *scenario, config string) *Run
		none string // what such a run must not ask for
	}{
		"DaemonSet": {
			func(t *testing.T) *scenario { return newDaemonScenario(t, "gatewayapi:v1") },
			func(s *scenario, config string) *Run { return s.rollOut(v2, "--kubeconfig", config) },
			"deployments",
		},
		"Service": {
			func(t *testing.T) *scenario { return newServiceScenario(t, "gatewayapi:v1") },
			func(s *scenario, config string) *Run {
				s.point("green")
				return s.run("--kubeconfig", config)
			},
			"pods",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := c.make(t)
			s.grantRendered()
			config := s.UserKubeconfig()
			s.end(s.run("--kubeconfig", config), 0)
			s.end(c.next(s, config), 0)
			for _, r := range s.Requests() {
				if (r.Code == 403 || r.Code == 401) && r.Resource != "canaries" {
					t.Errorf("%s %s %s was answered %d", r.Verb, r.Resource, r.Name, r.Code)
				}
				if r.Resource == c.none {
					t.Errorf("it asked to %s %s", r.Verb, r.Resource)
				}
			}
		})
	}
}
