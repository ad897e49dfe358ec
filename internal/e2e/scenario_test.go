package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// The images of the scenarios. How a version behaves is said by the end of its tag, see Namespace.App.
const (
	v1 = "podinfo:1.0.0"
	v2 = "podinfo:2.0.0"
	v3 = "podinfo:3.0.0"
)

// A scenario is one canary named podinfo in a namespace of its own: its target, what its router needs, its Prometheus
// and its file, with everything that happens in the namespace recorded.
type scenario struct {
	*Namespace
	t          testing.TB
	provider   string
	canary     map[string]any
	prometheus *Prometheus
	record     *Recorder
	taps       []*tap // the processes whose requests are seen

	administers bool // whether its runs may do everything, see permit
}

// newScenario prepares a canary of five steps of one second, with both builtin checks, for one of the routers. A change
// may be made to its spec before it is written to its file.
func newScenario(t testing.TB, provider string, change ...func(spec map[string]any)) *scenario {
	t.Helper()
	return newScenarioOn(t, cluster, provider, change...)
}

// newScenarioOn is newScenario on a control plane of its own.
func newScenarioOn(t testing.TB, on *Cluster, provider string, change ...func(spec map[string]any)) *scenario {
	t.Helper()
	s := &scenario{Namespace: on.Namespace(t), t: t, provider: provider, prometheus: NewPrometheus(t)}
	analysis := map[string]any{
		"interval": "1s", "threshold": 2,
		"metrics": []any{
			map[string]any{"name": "request-success-rate", "interval": "1m", "thresholdRange": map[string]any{"min": 99}},
			map[string]any{"name": "request-duration", "interval": "1m", "thresholdRange": map[string]any{"max": 500}},
		},
	}
	spec := map[string]any{
		"provider": provider, "metricsServer": s.prometheus.URL, "progressDeadlineSeconds": 60,
		"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
		"service":   map[string]any{"port": 80, "targetPort": "http", "portName": "http"},
		"analysis":  analysis,
	}
	analysis["stepWeight"], analysis["maxWeight"] = 10, 50
	switch provider {
	case "gatewayapi:v1", "gatewayapi:v1beta1":
		s.Gateway("public")
		spec["service"].(map[string]any)["gatewayRefs"] = []any{map[string]any{"name": "public"}}
	case "nginx":
		s.Ingress("podinfo", "podinfo", 80)
		spec["ingressRef"] = map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "podinfo"}
	case "kubernetes":
		delete(analysis, "stepWeight")
		delete(analysis, "maxWeight")
		analysis["iterations"] = 5
	}
	for _, c := range change {
		c(spec)
	}
	s.canary = map[string]any{
		"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": map[string]any{"name": "podinfo"}, "spec": spec,
	}
	s.write("canary.yaml", s.canary)
	s.App("podinfo", v1, 2)
	s.AwaitReady("podinfo")
	s.record = s.Record(routeKinds(t, provider)...)
	return s
}

// analysis changes one field of spec.analysis.
func analysis(field string, value any) func(map[string]any) {
	return func(spec map[string]any) { spec["analysis"].(map[string]any)[field] = value }
}

// deadline sets spec.progressDeadlineSeconds.
func deadline(seconds int) func(map[string]any) {
	return func(spec map[string]any) { spec["progressDeadlineSeconds"] = seconds }
}

// write writes documents to a file in the directory that penstock processes run in.
func (s *scenario) write(name string, documents ...any) {
	s.t.Helper()
	var text []byte
	for _, document := range documents {
		part, err := yaml.Marshal(document)
		if err != nil {
			s.t.Fatal(err)
		}
		text = append(append(text, "---\n"...), part...)
	}
	if err := os.WriteFile(filepath.Join(s.home, name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run starts penstock run on the scenario's file, with the permissions that penstock render rbac prints for it.
func (s *scenario) run(args ...string) *Run {
	s.t.Helper()
	return s.runWith(nil, args...)
}

// runWith is run with further environment variables, as NAME=value.
func (s *scenario) runWith(env []string, args ...string) *Run {
	s.t.Helper()
	return s.PenstockWith(env, append([]string{"run", "-f", "canary.yaml"}, s.permit(args)...)...)
}

// rollOut starts penstock run with a new image.
func (s *scenario) rollOut(image string, args ...string) *Run {
	s.t.Helper()
	return s.run(append([]string{"--image", "podinfo=" + image}, args...)...)
}

// initialise makes the first run.
func (s *scenario) initialise() {
	s.t.Helper()
	s.end(s.run(), 0)
}

// end waits for the end of a run and checks its exit code.
func (s *scenario) end(r *Run, code int) {
	s.t.Helper()
	if got := r.Wait(patience); got != code {
		s.t.Fatalf("the run ended with %d, want %d", got, code)
	}
}
