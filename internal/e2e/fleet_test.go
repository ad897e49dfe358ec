package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A fleet is a scenario with several canaries, each with its target and its Prometheus.
type fleetScenario struct {
	*scenario
	names      []string
	prometheus map[string]*Prometheus
}

// newFleet prepares canaries of two steps of one second for the Gateway API and makes their primaries.
func newFleet(t *testing.T, names ...string) *fleetScenario {
	t.Helper()
	f := &fleetScenario{
		scenario: &scenario{Namespace: cluster.Namespace(t), t: t, provider: "gatewayapi:v1"},
		names:    names, prometheus: map[string]*Prometheus{},
	}
	f.Gateway("public")
	var canaries []any
	for _, name := range names {
		f.prometheus[name] = NewPrometheus(t)
		canaries = append(canaries, fleetCanary(name, f.prometheus[name].URL, "1s"))
		f.App(name, v1, 1)
	}
	f.write("canary.yaml", canaries...)
	for _, name := range names {
		f.AwaitReady(name)
	}
	f.record = f.Record()
	f.initialise()
	return f
}

func fleetCanary(name, prometheus, interval string) map[string]any {
	return map[string]any{
		"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"provider": "gatewayapi:v1", "metricsServer": prometheus, "progressDeadlineSeconds": 60,
			"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
			"service": map[string]any{
				"port": 80, "targetPort": "http", "portName": "http", "gatewayRefs": []any{map[string]any{"name": "public"}},
			},
			"analysis": map[string]any{
				"interval": interval, "threshold": 1, "stepWeights": []any{20, 50},
				"metrics": []any{map[string]any{"name": "request-success-rate", "thresholdRange": map[string]any{"min": 99}}},
			},
		},
	}
}

// promotions are the moments at which each primary was seen with an image first.
func (f *fleetScenario) promotions(image string) map[string]time.Time {
	at := map[string]time.Time{}
	f.record.Replay(func(m Moment) {
		for _, name := range f.names {
			if p := m.Object("Deployment", name+"-primary"); p != nil && imageOf(p) == image && at[name].IsZero() {
				at[name] = m.Version.At
			}
		}
	})
	return at
}

// fleetResult is what --output json prints.
type fleetResult struct {
	ExitCode int
	Canaries []struct{ Canary, Outcome, Skipped, Reason string }
}

func (f *fleetScenario) wantOutcomes(r *Run, want map[string]string) {
	f.t.Helper()
	var result fleetResult
	if err := json.Unmarshal([]byte(r.Stdout()), &result); err != nil {
		f.t.Fatalf("the result is no JSON: %v", err)
	}
	if len(result.Canaries) != len(want) {
		f.t.Errorf("the result has %d canaries, want %d", len(result.Canaries), len(want))
	}
	for _, c := range result.Canaries {
		if want[c.Canary] != c.Outcome {
			f.t.Errorf("%s ended %s (%s), want %s", c.Canary, c.Outcome, c.Reason, want[c.Canary])
		}
	}
}

func (f *fleetScenario) wantImages(primary string, names ...string) {
	f.t.Helper()
	for _, name := range names {
		if got := f.deployment(name + "-primary"); got.image != primary || got.ready != 1 {
			f.t.Errorf("the primary of %s is %+v, want a ready pod of %s", name, got, primary)
		}
		if got := f.deployment(name); got.replicas != 0 {
			f.t.Errorf("the canary %s is %+v, want no pods", name, got)
		}
	}
}

func TestCanariesOfOneRunAreRolledOutSideBySide(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "cart", "web", "stock")
	run := f.rollOut(v2, "-o", "json")
	f.end(run, 0)
	f.wantOutcomes(run, map[string]string{"cart": "promoted", "web": "promoted", "stock": "promoted"})
	f.wantImages(v2, f.names...)
	first, steps := time.Time{}, 0
	for _, line := range run.Lines() { // every canary is at its first step before any is promoted
		switch {
		case contains(line.Text, "step 1/2  20%  next step"):
			steps++
		case first.IsZero() && contains(line.Text, "PROMOTED"):
			if first = line.At; steps < len(f.names) {
				t.Errorf("only %d canaries had begun when the first was promoted", steps)
			}
		}
	}
	f.wantLine(run, "3 canaries: 3 promoted")
}

func TestACanaryStartsWhenTheOneBeforeHasEndedWell(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "stock", "cart", "web")
	f.prometheus["cart"].Script("", Value(1))
	run := f.rollOut(v2, "-o", "json", "--after", "cart=stock", "--after", "web=cart")
	f.end(run, 1)
	f.wantOutcomes(run, map[string]string{"stock": "promoted", "cart": "rolled-back", "web": "skipped"})
	f.wantLine(run, f.Name+"/web  New  skipped: "+f.Name+"/cart did not end well")
	f.wantImages(v2, "stock")
	f.wantImages(v1, "cart", "web")
	if web := f.deployment("web"); web.image != v1 {
		t.Errorf("the target of a canary that was skipped has %s", web.image)
	}
	var done, begun time.Time
	for _, line := range run.Lines() {
		if contains(line.Text, "/stock ") && contains(line.Text, "PROMOTED") {
			done = line.At
		}
		if contains(line.Text, "/cart ") && contains(line.Text, "new revision") && begun.IsZero() {
			begun = line.At
		}
	}
	if done.IsZero() || !begun.After(done) {
		t.Errorf("stock ended at %s, cart began at %s", done, begun)
	}
}

func TestNoCanaryOfAGroupIsPromotedBeforeAllHavePassed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "cart", "web", "stock")
	// The last step of stock fails; the others have passed by then, or will not have failed.
	f.prometheus["stock"].Script("", Value(100), Value(100), Value(1))
	run := f.rollOut(v2, "-o", "json", "--group")
	f.end(run, 1)
	f.wantOutcomes(run, map[string]string{"cart": "rolled-back", "web": "rolled-back", "stock": "rolled-back"})
	f.wantLine(run, f.Name+"/stock was rolled back, and the group is promoted together or not at all")
	f.wantImages(v1, f.names...)
	if at := f.promotions(v2); len(at) > 0 {
		t.Errorf("these primaries had the new image for a while: %v", at)
	}
	f.prometheus["stock"].Script("", Value(100))
	run = f.rollOut(v3, "-o", "json", "--group")
	f.end(run, 0)
	f.wantImages(v3, f.names...)
	if at := f.promotions(v3); len(at) != len(f.names) {
		t.Errorf("promoted were %v", at)
	}
}

func TestNoMoreCanariesThanAllowedAreRolledOutAtOnce(t *testing.T) {
	t.Parallel()
	const limit = 2
	f := newFleet(t, "cart", "web", "stock", "user")
	begun := time.Now()
	run := f.rollOut(v2, "-o", "json", "--max-parallel", strconv.Itoa(limit))
	f.end(run, 0)
	f.wantOutcomes(run, map[string]string{"cart": "promoted", "web": "promoted", "stock": "promoted", "user": "promoted"})
	f.wantImages(v2, f.names...)
	most := 0
	f.record.Replay(func(m Moment) {
		if m.Version.At.Before(begun) {
			return // the first run scales all of them down
		}
		atWork := 0
		for _, name := range f.names { // a canary has pods from the begin of its rollout to the end
			replicas, _, _ := unstructured.NestedInt64(m.Object("Deployment", name).Object, "spec", "replicas")
			if replicas > 0 {
				atWork++
			}
		}
		most = max(most, atWork)
	})
	if most != limit {
		t.Errorf("at most %d canaries had pods at once, want %d", most, limit)
	}
}

func TestCancellingAFleetRollsAllBack(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "cart", "web", "stock")
	run := f.rollOut(v2, "-o", "json", "--max-parallel", "2")
	run.AwaitLine("step 1/2  20%")
	run.Interrupt()
	f.end(run, 130)
	f.wantImages(v1, f.names...)
	f.wantLine(run, "cancelled before it was started")
}

// TestFleetFigures prints what many canaries in one process cost. It runs when PENSTOCK_E2E_FLEET says how many; the
// figures depend on the machine and on what else it does.
func TestFleetFigures(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PENSTOCK_E2E_FLEET"))
	if err != nil || n <= 0 {
		t.Skip("PENSTOCK_E2E_FLEET is not a number of canaries")
	}
	const hour = time.Hour
	s := &scenario{Namespace: cluster.Namespace(t), t: t, provider: "gatewayapi:v1"}
	s.Gateway("public")
	prometheus := NewPrometheus(t)
	var canaries []any
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("app-%03d", i)
		c := fleetCanary(names[i], prometheus.URL, "5s")
		c["spec"].(map[string]any)["progressDeadlineSeconds"] = 1200
		canaries = append(canaries, c)
		s.App(names[i], v1, 1)
	}
	s.write("canary.yaml", canaries...)
	for _, name := range names {
		s.AwaitReady(name)
	}
	fleetFigures(t, s, "first run", n, s.Penstock("run", "-f", "canary.yaml"), hour)
	args := []string{"run", "-f", "canary.yaml", "--image", "podinfo=" + v2}
	if limit := os.Getenv("PENSTOCK_E2E_FLEET_PARALLEL"); limit != "" {
		args = append(args, "--max-parallel", limit)
	}
	fleetFigures(t, s, "rollout of two steps of 5s", n, s.Penstock(args...), hour)
}

func fleetFigures(t *testing.T, s *scenario, what string, n int, run *Run, limit time.Duration) {
	t.Helper()
	code := run.Wait(limit)
	took := time.Since(run.Started)
	state := run.cmd.ProcessState
	cpu := state.UserTime() + state.SystemTime()
	requests := Since(s.Requests(), run.Started)
	t.Logf("%s of %d canaries: %.1f s, %.1f s of CPU (%.0f %% of one), %.0f MiB at most, %d requests (%.1f a second, %.1f a canary)",
		what, n, took.Seconds(), cpu.Seconds(), 100*cpu.Seconds()/took.Seconds(), float64(run.MaxRSS())/(1<<20),
		len(requests), float64(len(requests))/took.Seconds(), float64(len(requests))/float64(n))
	LogRequests(t, requests)
	if code != 0 {
		t.Fatalf("the %s ended with %d", what, code)
	}
}
