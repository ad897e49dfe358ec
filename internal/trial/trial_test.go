package trial_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/trial"
)

func ptr[T any](v T) *T { return &v }

// podinfo is a canary that goes up to half of the traffic in five steps, with the usual thresholds.
func podinfo() *canary.Canary {
	return &canary.Canary{
		ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop"},
		Spec: canary.Spec{
			Provider: "gatewayapi:v1", TargetRef: canary.ObjectRef{Kind: "Deployment", Name: "podinfo"}, Service: canary.Service{Port: 80},
			Analysis: &canary.Analysis{Interval: "1m", Threshold: 2, StepWeight: 10, MaxWeight: 50, Metrics: []canary.Metric{
				{Name: metric.SuccessRate, Interval: "1m", ThresholdRange: &canary.ThresholdRange{Min: ptr(99.0)}},
				{Name: metric.Duration, Interval: "1m", ThresholdRange: &canary.ThresholdRange{Max: ptr(500.0)}},
			}},
		},
	}
}

// comparisons hold both builtin metrics to the primary, in place of their bounds.
func comparisons() []*canary.Comparison {
	compare := func(name string) *canary.Comparison {
		return &canary.Comparison{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-like-primary"}, Spec: canary.ComparisonSpec{Metric: name, Replaces: name},
		}
	}
	return []*canary.Comparison{compare(metric.SuccessRate), compare(metric.Duration)}
}

func planOf(t *testing.T, c *canary.Canary, compared []*canary.Comparison) *trial.Plan {
	t.Helper()
	in := metric.Inputs{MetricsServer: "http://prometheus:9090"}
	fixed, err := metric.Plan(c, in)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := metric.PlanComparisons(c, compared, in)
	if err != nil {
		t.Fatal(err)
	}
	buckets, err := metric.DurationBuckets(c.Spec.Provider)
	if err != nil {
		t.Fatal(err)
	}
	p := &trial.Plan{
		Spec: rollout.Plan(c), Checks: append(metric.Replaced(fixed, compared), checks...), Trials: 100, Seed: 1,
		Traffic: trial.Traffic{RPS: 100, Errors: 0.1, Latency: 50 * time.Millisecond, Spread: 0.5, Swing: 0.1, Buckets: buckets},
	}
	p.Spec.Compare(compared)
	return p
}

func always() bool { return true }

func TestHealthyReleasesGetThroughAndBrokenOnesDoNot(t *testing.T) {
	t.Parallel()
	for name, compared := range map[string][]*canary.Comparison{"fixed bounds": nil, "comparisons": comparisons()} {
		p := planOf(t, podinfo(), compared)
		healthy := p.Run(trial.Release{Slower: 1}, always)
		if healthy.Trials != 100 || healthy.GotThrough < 98 {
			t.Errorf("%s: a healthy release: %+v", name, healthy)
		}
		for _, r := range []trial.Release{{Errors: 20, Slower: 1}, {Slower: 20}} {
			bad := p.Run(r, always)
			if len(bad.Because) != 1 || bad.Because[0].Verdict != rollout.Fail || bad.Because[0].Trials != 100 {
				t.Errorf("%s: rolled back because of %+v, want the one check that fails", name, bad.Because)
			}
			if bad.RolledBack != 100 || bad.After != 2*time.Minute || bad.Others != 0 {
				t.Errorf("%s: %+v", name, bad)
			}
			if want := 0.1 * 100 * 120 * r.Errors / 100; r.Errors > 0 && math.Abs(float64(bad.Failed)-want) > want/5 { // a tenth of the users for two windows
				t.Errorf("%s: %d failed requests, want about %v", name, bad.Failed, want)
			}
		}
	}
}

func TestAComparisonSeesWhatABoundDoesNot(t *testing.T) {
	t.Parallel()
	slower := trial.Release{Slower: 1.8} // from 160 ms to 290 ms, where 500 ms are allowed
	if got := planOf(t, podinfo(), nil).Run(slower, always); got.GotThrough < 90 {
		t.Errorf("fixed bounds: %+v", got)
	}
	if got := planOf(t, podinfo(), comparisons()).Run(slower, always); got.RolledBack < 90 {
		t.Errorf("comparisons: %+v", got)
	}
}

func TestAnIncidentIsNotTheFaultOfTheRelease(t *testing.T) {
	t.Parallel()
	healthy := trial.Release{Slower: 1}
	fixed, compared := planOf(t, podinfo(), nil), planOf(t, podinfo(), comparisons())
	fixed.Traffic.Incidents, compared.Traffic.Incidents = 50, 50
	if got := fixed.Run(healthy, always); got.RolledBack < 50 {
		t.Errorf("fixed bounds: %+v", got)
	}
	if got := compared.Run(healthy, always); got.RolledBack > 5 {
		t.Errorf("comparisons: %+v", got)
	}
}

func TestTheSameSeedTellsTheSame(t *testing.T) {
	t.Parallel()
	r := trial.Release{Errors: 1, Slower: 1}
	p := planOf(t, podinfo(), comparisons())
	first := p.Run(r, always)
	if again := p.Run(r, always); !reflect.DeepEqual(again, first) {
		t.Errorf("first %+v, then %+v", first, again)
	}
	p.Seed = 2
	if other := p.Run(r, always); reflect.DeepEqual(other, first) {
		t.Errorf("another seed tells the same: %+v", other)
	}
}

func TestWithoutRequestsNothingGetsThrough(t *testing.T) {
	t.Parallel()
	for _, compared := range [][]*canary.Comparison{nil, comparisons()} {
		p := planOf(t, podinfo(), compared)
		p.Traffic.RPS = 0.001
		got := p.Run(trial.Release{Slower: 1}, always)
		if got.GotThrough != 0 {
			t.Errorf("%+v", got)
		}
		if len(got.Because) == 0 || got.Because[0].Verdict != rollout.NoData || got.Because[0].Trials != got.RolledBack {
			t.Errorf("%d were rolled back because of %+v, want no data of each", got.RolledBack, got.Because)
		}
	}
}

func TestEveryStrategyEnds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*canary.Analysis){
		"weights":   func(a *canary.Analysis) { a.StepWeights = []int{1, 5, 20} },
		"mirrored":  func(a *canary.Analysis) { a.Mirror = true },
		"a/b tests": func(a *canary.Analysis) { a.StepWeight, a.Iterations, a.Match = 0, 3, []canary.HTTPMatchRequest{{}} },
		"copies":    func(a *canary.Analysis) { a.StepWeight, a.Iterations, a.Mirror = 0, 3, true },
		"promotion": func(a *canary.Analysis) { a.StepWeightPromotion = 20 },
	} {
		c := podinfo()
		change(c.Spec.Analysis)
		p := planOf(t, c, nil)
		p.Trials = 10
		if got := p.Run(trial.Release{Slower: 1}, always); got.GotThrough != 10 {
			t.Errorf("%s: %+v", name, got)
		}
		if got := p.Run(trial.Release{Errors: 50, Slower: 1}, always); got.RolledBack != 10 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhoHasNoTimeGetsFewerTrials(t *testing.T) {
	t.Parallel()
	p := planOf(t, podinfo(), nil)
	if got := p.Run(trial.Release{Slower: 1}, func() bool { return false }); got.Trials != 0 {
		t.Errorf("%+v", got)
	}
}

func BenchmarkTrials(b *testing.B) {
	c := podinfo()
	in := metric.Inputs{MetricsServer: "http://prometheus:9090"}
	checks, err := metric.PlanComparisons(c, comparisons(), in)
	if err != nil {
		b.Fatal(err)
	}
	p := &trial.Plan{Spec: rollout.Plan(c), Checks: checks, Trials: 1, Traffic: trial.Traffic{RPS: 200, Errors: 0.1, Latency: 50 * time.Millisecond, Spread: 0.5}}
	p.Traffic.Buckets, _ = metric.DurationBuckets("nginx")
	p.Spec.Checks = nil
	p.Spec.Compare(comparisons())
	for b.Loop() {
		p.Seed = rand.Uint64()
		p.Run(trial.Release{Slower: 1}, always)
	}
}
