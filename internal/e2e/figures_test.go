package e2e

import (
	"testing"
	"time"
)

// The figures are printed and not judged: they depend on the machine and on what else it does. Run this test alone for
// figures to compare.
func TestFigures(t *testing.T) {
	t.Parallel()
	t.Run("promotion", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, "gatewayapi:v1", analysis("interval", "10s"))
		s.initialise()
		run := s.rollOut(v2)
		if code := run.Wait(2 * time.Minute); code != 0 {
			t.Fatalf("the run ended with %d", code)
		}
		s.wantWeights(0, 10, 20, 30, 40, 50, 0)
		s.wantSafe()
		var changed, succeeded time.Time
		var stepped []time.Time // when the route got a new weight
		weight := 0
		s.record.Replay(func(m Moment) {
			if changed.IsZero() && m.Version.key() == "Deployment/podinfo" && imageOf(m.Version.Object) == v2 {
				changed = m.Version.At
			}
			if succeeded.IsZero() && recordAt(m).Status.Phase == "Succeeded" {
				succeeded = m.Version.At
			}
			if w, known := s.weight(m); known && w != weight {
				weight, stepped = w, append(stepped, m.Version.At)
			}
		})
		t.Logf("five steps at 10s, from the image change to Succeeded: %.1f s (goal 52 s)", succeeded.Sub(changed).Seconds())
		t.Logf("memory: %.0f MiB (goal 80 MiB)", float64(run.MaxRSS())/(1<<20))
		requests := Since(s.Requests(), run.Started)
		LogRequests(t, requests)
		wantFew(t, requests)
		logSteps(t, requests, stepped)
		for i := range len(stepped) - 2 { // the last step ends with the promotion, which is not idle
			idle := map[string]int{}
			for _, r := range requests {
				if r.At.After(stepped[i].Add(time.Second)) && r.At.Before(stepped[i+1].Add(-time.Second)) {
					idle[r.Verb+" "+r.Resource]++
				}
			}
			t.Logf("while waiting in step %d: %v (goal: lease renewals only)", i+1, idle)
		}
	})
	t.Run("rollback", func(t *testing.T) {
		t.Parallel()
		for _, provider := range []string{"gatewayapi:v1", "nginx"} {
			s := newScenario(t, provider, analysis("threshold", 1))
			s.initialise()
			s.prometheus.Script("", Value(1))
			s.end(s.rollOut(v2), 1)
			queries := s.prometheus.Queries()
			asked := queries[len(queries)-1].At
			weight := 0
			s.record.Replay(func(m Moment) {
				w, _ := s.weight(m)
				if w == 0 && weight > 0 {
					t.Logf("%s: from the failed check's question to 0 %%: %d ms (goal 250 ms)", provider, m.Version.At.Sub(asked).Milliseconds())
				}
				weight = w
			})
		}
	})
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		run := cluster.Namespace(t).Penstock("version")
		run.Wait(patience)
		lines := run.Lines()
		t.Logf("penstock version printed after %d ms (goal 50 ms)", lines[0].At.Sub(run.Started).Milliseconds())
	})
}

// wantFew holds a whole rollout of five steps to 60 requests beside the renewals of its lease. Unlike the times, their number
// does not depend on the machine.
func wantFew(t *testing.T, requests []Request) {
	t.Helper()
	const most = 60
	n := 0
	for _, r := range requests {
		if r.Resource != "leases" || r.Verb != "update" && r.Verb != "patch" {
			n++
		}
	}
	if t.Logf("%d requests, renewals of the lease aside (at most %d)", n, most); n > most {
		t.Errorf("the rollout took %d requests, want at most %d", n, most)
	}
}

// logSteps prints what was asked between one weight and the next, and before the first and after the last.
func logSteps(t *testing.T, requests []Request, stepped []time.Time) {
	t.Helper()
	parts := make([][]Request, len(stepped)+1)
	for _, r := range requests {
		i := 0
		for i < len(stepped) && !r.At.Before(stepped[i]) {
			i++
		}
		parts[i] = append(parts[i], r)
	}
	for i, part := range parts {
		verbs := map[string]int{}
		for _, r := range part {
			verbs[r.Verb]++
		}
		t.Logf("requests after %d changes of the weight: %d, %v", i, len(part), verbs)
	}
}
