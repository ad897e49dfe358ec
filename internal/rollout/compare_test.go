package rollout

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
)

func comparing(name, replaces, inconclusive string) *canary.Comparison {
	return &canary.Comparison{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: canary.ComparisonSpec{Replaces: replaces, OnInconclusive: inconclusive},
	}
}

func TestComparisonsTakeThePlaceOfChecks(t *testing.T) {
	t.Parallel()
	s := Spec{Checks: []string{"rate", "took"}}
	s.Compare([]*canary.Comparison{comparing("rate", "rate", ""), comparing("queue", "", "hold")})
	if want := []string{"took", "rate", "queue"}; !slices.Equal(s.Checks, want) {
		t.Errorf("got %v, want %v", s.Checks, want)
	}
}

func TestAnInconclusiveComparisonNeverPasses(t *testing.T) {
	t.Parallel()
	for _, policy := range []Policy{NoDataFails, NoDataHolds, NoDataPasses} {
		for _, c := range []struct {
			own    string
			other  Verdict
			code   Code
			failed int
		}{
			{"fail", Pass, CheckFailed, 1}, {"", Pass, CheckFailed, 1}, {"hold", Pass, NoDataYet, 0},
			{"hold", Fail, CheckFailed, 1}, // what fails is not put off by what waits
		} {
			spec := steps
			spec.OnNoData, spec.Checks = policy, []string{"took"}
			spec.Compare([]*canary.Comparison{comparing("queue", "", c.own)})
			st := progressing(1)
			obs := seen(20, 10*time.Second, func(o *Observation) {
				o.Window = noon
				o.Checks = []CheckResult{{Name: "queue", Verdict: NoData}, {Name: "took", Verdict: c.other}}
			})
			d := Decide(&spec, &st, &obs)
			if d.Next.Step != 1 || d.Next.Failed != c.failed || d.Reason.Code != c.code {
				t.Errorf("policy %d, %q: step %d, %d failed, %s", policy, c.own, d.Next.Step, d.Next.Failed, d.Reason.Code)
			}
		}
	}
}

func TestOnlyNewEntriesKeepTheirSamples(t *testing.T) {
	t.Parallel()
	var r Record
	shared := &Comparison{Value: 1, Canary: []float64{1}, Primary: []float64{2}}
	for range 3 * samplesLimit {
		r.Append(Entry{Checks: []CheckResult{{Name: "queue", Comparison: shared}, {Name: "rate"}}})
	}
	kept := 0
	for i := range r.History {
		c := r.History[i].Checks[0].Comparison
		if c.Value != 1 {
			t.Errorf("entry %d lost its value", i)
		}
		if len(c.Canary) > 0 && len(c.Primary) > 0 {
			kept++
		}
	}
	if kept != samplesLimit || len(shared.Canary) != 1 {
		t.Errorf("%d entries have samples, want %d", kept, samplesLimit)
	}
}
