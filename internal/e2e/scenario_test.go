package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	t          *testing.T
	provider   string
	canary     map[string]any
	prometheus *Prometheus
	record     *Recorder
}

// newScenario prepares a canary of five steps of one second, with both builtin checks, for one of the routers. A change
// may be made to its spec before it is written to its file.
func newScenario(t *testing.T, provider string, change ...func(spec map[string]any)) *scenario {
	t.Helper()
	s := &scenario{Namespace: cluster.Namespace(t), t: t, provider: provider, prometheus: NewPrometheus(t)}
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
	case "gatewayapi:v1":
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
	s.record = s.Record()
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

// run starts penstock run on the scenario's file.
func (s *scenario) run(args ...string) *Run {
	s.t.Helper()
	return s.Penstock(append([]string{"run", "-f", "canary.yaml"}, args...)...)
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

// deployment is what a scenario asks of a Deployment.
type deployment struct {
	image           string
	replicas, ready int64
	exists          bool
}

func (s *scenario) deployment(name string) deployment {
	s.t.Helper()
	live, err := s.cluster.Kube.AppsV1().Deployments(s.Name).Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatalf("get deployment %s: %v", name, err)
	}
	return deployment{
		exists: true, image: live.Spec.Template.Spec.Containers[0].Image, replicas: int64(*live.Spec.Replicas),
		ready: int64(live.Status.ReadyReplicas),
	}
}

// wantPromoted checks the end of a promotion: the primary runs the image, the canary has neither traffic nor pods.
func (s *scenario) wantPromoted(image string) {
	s.t.Helper()
	if got := s.deployment("podinfo-primary"); got.image != image || got.replicas != 2 || got.ready != 2 {
		s.t.Errorf("the primary is %+v, want 2 ready pods of %s", got, image)
	}
	if got := s.deployment("podinfo"); got.image != image || got.replicas != 0 {
		s.t.Errorf("the canary is %+v, want no pods of %s", got, image)
	}
	s.wantWeight(0)
}

// wantRolledBack checks the end of a rollback: the primary runs what it ran, the canary has neither traffic nor pods.
func (s *scenario) wantRolledBack(image string) {
	s.t.Helper()
	if got := s.deployment("podinfo-primary"); got.image != image || got.ready != 2 {
		s.t.Errorf("the primary is %+v, want 2 ready pods of %s", got, image)
	}
	if got := s.deployment("podinfo"); got.replicas != 0 {
		s.t.Errorf("the canary is %+v, want no pods", got)
	}
	s.wantWeight(0)
}

func (s *scenario) wantWeight(want int) {
	s.t.Helper()
	weights := s.weights()
	if len(weights) == 0 || weights[len(weights)-1] != want {
		s.t.Errorf("the weights were %v, want %d at the end", weights, want)
	}
}

// weights returns the canary's weights in the router's objects, one after the other.
func (s *scenario) weights() []int {
	s.t.Helper()
	var weights []int
	s.record.Replay(func(m Moment) {
		if w, known := s.weight(m); known && (len(weights) == 0 || weights[len(weights)-1] != w) {
			weights = append(weights, w)
		}
	})
	return weights
}

func (s *scenario) wantWeights(want ...int) {
	s.t.Helper()
	if got := s.weights(); !slices.Equal(got, want) {
		s.t.Errorf("the canary's weights were %v, want %v", got, want)
	}
}

// weight reads the canary's share of the traffic from the router's objects, without penstock's help.
func (s *scenario) weight(m Moment) (weight int, known bool) {
	switch s.provider {
	case "gatewayapi:v1":
		return routeWeight(m.Object("HTTPRoute", "podinfo"))
	case "nginx":
		ingress := m.Object("Ingress", "podinfo-canary")
		if ingress == nil {
			return 0, false
		}
		a := ingress.GetAnnotations()
		w, err := strconv.Atoi(a["nginx.ingress.kubernetes.io/canary-weight"])
		return w, err == nil && a["nginx.ingress.kubernetes.io/canary"] == "true"
	case "kubernetes":
		if m.Object("Deployment", "podinfo-primary") == nil || m.Object("Service", "podinfo") == nil {
			return 0, false
		}
		app, _, _ := unstructured.NestedString(m.Object("Service", "podinfo").Object, "spec", "selector", "app")
		return map[string]int{"podinfo": 100, "podinfo-primary": 0}[app], true
	}
	panic("no such provider: " + s.provider)
}

func routeWeight(route *unstructured.Unstructured) (int, bool) {
	if route == nil {
		return 0, false
	}
	share := map[string]int64{}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		refs, _, _ := unstructured.NestedSlice(rule.(map[string]any), "backendRefs")
		for _, ref := range refs {
			name, _, _ := unstructured.NestedString(ref.(map[string]any), "name")
			share[name], _, _ = unstructured.NestedInt64(ref.(map[string]any), "weight")
		}
	}
	return int(share["podinfo-canary"]), share["podinfo-primary"]+share["podinfo-canary"] == 100
}

// saved is the part of penstock's record that scenarios look at.
type saved struct {
	Epoch  int64
	Status struct {
		Phase, Revision, Promoted string
		Step, Weight              int
	}
	History []struct {
		Phase                string
		Step, Weight, Failed int
	}
}

// recordAt returns the record as it was at a moment; it is zero when there was none.
func recordAt(m Moment) (r saved) {
	if object := m.Object("ConfigMap", "penstock-podinfo"); object != nil {
		text, _, _ := unstructured.NestedString(object.Object, "data", "record.json")
		_ = json.Unmarshal([]byte(text), &r) // a record that cannot be read is as good as none, and some claim then fails
	}
	return r
}

// phases returns the phases of the record, one after the other.
func (s *scenario) phases() []string {
	s.t.Helper()
	var phases []string
	s.record.Replay(func(m Moment) {
		if p := recordAt(m).Status.Phase; p != "" && (len(phases) == 0 || phases[len(phases)-1] != p) {
			phases = append(phases, p)
		}
	})
	return phases
}

// awaitWeight waits until the router's objects give the canary this much or more.
func (s *scenario) awaitWeight(want int) {
	s.t.Helper()
	s.Await(fmt.Sprintf("the canary to have %d %% of the traffic", want), func(context.Context) error {
		weights := s.weights()
		return unless(len(weights) > 0 && weights[len(weights)-1] >= want, "the weights so far are %v", weights)
	})
}

// awaitStep waits until the record says that a step is in force.
func (s *scenario) awaitStep(step int) {
	s.t.Helper()
	s.awaitRecord(fmt.Sprintf("step %d", step), func(r saved) bool { return r.Status.Step >= step })
}

// awaitRecord waits until the record satisfies claim.
func (s *scenario) awaitRecord(what string, claim func(saved) bool) saved {
	s.t.Helper()
	var found saved
	s.Await("the record to say "+what, func(ctx context.Context) error {
		object, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Get(ctx, "penstock-podinfo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		var r saved
		if err := json.Unmarshal([]byte(object.Data["record.json"]), &r); err != nil {
			return err
		}
		found = r
		return unless(claim(r), "it says %+v", r.Status)
	})
	return found
}

// wantLine checks that a run has printed a text, and returns the first line with it.
func (s *scenario) wantLine(r *Run, text string) Line {
	s.t.Helper()
	for _, line := range r.Lines() {
		if contains(line.Text, text) {
			return line
		}
	}
	s.t.Errorf("the run did not print %q", text)
	return Line{}
}

// wantUntouched checks by the audit log that penstock has written nothing, and that what is there is as it was.
func (s *scenario) wantUntouched() {
	s.t.Helper()
	for _, r := range s.Requests() {
		switch r.Verb {
		case "get", "list", "watch":
			continue
		}
		if contains(r.Resource, "selfsubject") {
			continue // a question in the form of a write
		}
		s.t.Errorf("penstock did %s %s %s", r.Verb, r.Resource, r.Name)
	}
	if target := s.deployment("podinfo"); target.image != v1 || target.replicas != 2 {
		s.t.Errorf("the target is %+v, and was 2 pods of %s", target, v1)
	}
}
