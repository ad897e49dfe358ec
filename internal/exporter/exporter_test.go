package exporter

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var podinfo = Subject{Namespace: "shop", Target: "podinfo", Provider: "gatewayapi:v1"}

// story is a rollout as its reporters are told of it: the status after each decision.
type story struct {
	spec  rollout.Spec
	now   time.Time
	route rollout.Route
}

func newStory() *story {
	return &story{now: begin, spec: rollout.Spec{
		Interval: 10 * time.Second, Threshold: 2, Checks: []string{"request-success-rate", "request-duration"},
		Steps: []rollout.Step{{Weight: 20}, {Weight: 40}},
	}}
}

func (s *story) after(d time.Duration, st rollout.Status, change ...func(*report.Snapshot)) runner.Update {
	s.now = s.now.Add(d)
	st.Routed = true
	s.route.Managed, s.route.Canary = true, st.Weight
	snapshot := report.Snapshot{Canary: "podinfo", Namespace: "shop", Spec: s.spec, Status: st, Now: s.now}
	snapshot.Route = rollout.RouteReport{Route: s.route, Known: true, Settled: true}
	for _, c := range change {
		c(&snapshot)
	}
	return runner.Update{Snapshot: snapshot}
}

func checks(rate, duration float64) func(*report.Snapshot) {
	return func(s *report.Snapshot) {
		s.Checks = []rollout.CheckResult{
			{Name: "request-success-rate", Verdict: rollout.Pass, Value: &rate, Unit: "%"},
			{Name: "request-duration", Verdict: rollout.Pass, Value: &duration, Unit: "ms"},
		}
	}
}

func ends(o rollout.Outcome) func(*report.Snapshot) {
	return func(s *report.Snapshot) { s.Outcome = o }
}

// promoted is a whole rollout of two steps.
func promoted() []runner.Update {
	s := newStory()
	at := func(step int, w rollout.Weight, windowAgo time.Duration) rollout.Status {
		return rollout.Status{Phase: rollout.Progressing, Step: step, Weight: w, Window: s.now.Add(windowAgo)}
	}
	return []runner.Update{
		s.after(0, rollout.Status{Phase: rollout.Progressing}),
		s.after(time.Second, rollout.Status{Phase: rollout.Progressing}, checks(1, 1)), // the first look
		s.after(time.Second, at(1, 20, time.Second)),
		s.after(10300*time.Millisecond, at(2, 40, 10300*time.Millisecond), checks(99.5, 120)),
		s.after(10*time.Second+20*time.Millisecond, rollout.Status{Phase: rollout.Promoting, Step: 2, Weight: 40}, checks(99, 250)),
		s.after(3*time.Second, rollout.Status{Phase: rollout.Finalising}),
		s.after(time.Second, rollout.Status{Phase: rollout.Succeeded}, ends(rollout.Promoted)),
		s.after(0, rollout.Status{Phase: rollout.Succeeded}, ends(rollout.Promoted)), // a hook's last word
	}
}

func text(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("../../testdata/exporter", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestTheMetricsOfAPromotionAreFlaggers(t *testing.T) {
	t.Parallel()
	e := New("1.2.3")
	feed := e.Add(podinfo)
	for i, u := range promoted() {
		feed.Report(t.Context(), u)
		if i == 2 {
			golden(t, "first-step.txt", text(t, e))
		}
	}
	golden(t, "promoted.txt", text(t, e))
}

func TestOutcomesAreCountedOnceByStrategy(t *testing.T) {
	t.Parallel()
	blueGreen := []rollout.Step{{}, {Weight: 100, Bare: true}}
	for name, c := range map[string]struct {
		steps   []rollout.Step
		skip    bool
		outcome rollout.Outcome
		want    string
	}{
		"a canary that was rejected":       {nil, false, rollout.RolledBack, `failures_total{analysis_status="completed",deployment_strategy="canary"`},
		"a primary that broke":             {nil, false, rollout.Halted, `failures_total{analysis_status="completed",deployment_strategy="canary"`},
		"blue/green":                       {blueGreen, false, rollout.Promoted, `successes_total{analysis_status="completed",deployment_strategy="blue-green"`},
		"an A/B test":                      {[]rollout.Step{{Match: true}}, false, rollout.Promoted, `successes_total{analysis_status="completed",deployment_strategy="ab-testing"`},
		"an analysis that was skipped":     {nil, true, rollout.Promoted, `successes_total{analysis_status="skipped",deployment_strategy="canary"`},
		"a cancelled run says nothing":     {nil, false, rollout.Cancelled, ""},
		"a first run says nothing":         {nil, false, rollout.Initialised, ""},
		"a run that is over says it twice": {nil, false, rollout.Promoted, `successes_total{analysis_status="completed"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New("1.2.3")
			feed, s := e.Add(podinfo), newStory()
			if c.steps != nil {
				s.spec.Steps = c.steps
			}
			s.spec.Skip = c.skip
			for range 2 {
				feed.Report(t.Context(), s.after(time.Second, rollout.Status{Phase: rollout.Succeeded}, ends(c.outcome)))
			}
			got := text(t, e)
			if c.want == "" {
				if strings.Contains(got, "_total{analysis") {
					t.Errorf("counted:\n%s", got)
				}
				return
			}
			i := strings.Index(got, "flagger_canary_"+c.want)
			if i < 0 {
				t.Fatalf("not counted as %s:\n%s", c.want, got)
			}
			if line, _, _ := strings.Cut(got[i:], "\n"); !strings.HasSuffix(line, "} 1") {
				t.Errorf("counted as %q, want once", line)
			}
		})
	}
}

func TestTheStatusOfEveryPhaseIsRunningSuccessfulOrFailed(t *testing.T) {
	t.Parallel()
	for phase, want := range map[rollout.Phase]float64{
		rollout.Initializing: 0, rollout.Waiting: 0, rollout.Progressing: 0, rollout.WaitingPromotion: 0, rollout.Promoting: 0,
		rollout.Finalising: 0, rollout.RollingBack: 0, rollout.Terminating: 0,
		rollout.Initialized: 1, rollout.Succeeded: 1, rollout.Terminated: 1, rollout.Failed: 2,
	} {
		got, known := statusValue(&report.Snapshot{Status: rollout.Status{Phase: phase}})
		if !known || got != want {
			t.Errorf("%s is %v, known %v; want %v", phase, got, known, want)
		}
	}
	if _, known := statusValue(&report.Snapshot{}); known {
		t.Error("a canary that was never seen has a status")
	}
}

func TestSeveralRolloutsShareTheirFamilies(t *testing.T) {
	t.Parallel()
	e := New("1.2.3")
	for _, subject := range []Subject{podinfo, {"shop", "cart", "nginx"}, {"bank", "podinfo", "nginx"}} {
		feed := e.Add(subject)
		for _, u := range promoted() {
			feed.Report(t.Context(), u)
		}
	}
	got := text(t, e)
	for _, want := range []string{
		`flagger_canary_total{namespace="shop"} 2`, `flagger_canary_total{namespace="bank"} 1`,
		`flagger_canary_status{name="cart",namespace="shop"} 1`, `flagger_canary_status{name="podinfo",namespace="bank"} 1`,
		`flagger_info{mesh_provider="nginx",version="1.2.3"} 1`, `flagger_info{mesh_provider="gatewayapi:v1",version="1.2.3"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "# TYPE flagger_canary_weight "); n != 1 {
		t.Errorf("the family of weights is there %d times", n)
	}
}
