package e2e

import (
	"strconv"
	"testing"
	"time"
)

// check adds a check by a query of the user to a canary.
func check(name, query string) func(spec map[string]any) {
	return func(spec map[string]any) {
		a := spec["analysis"].(map[string]any)
		a["metrics"] = append(a["metrics"].([]any), map[string]any{
			"name": name, "query": query, "interval": "1m", "thresholdRange": map[string]any{"max": 1},
		})
	}
}

// What cannot work is found before any user is on the canary.
func TestACheckThatCannotWorkCostsNoTraffic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, provider, query string
		part                  string // of the queries that have no answer
		answer                Answer
		want                  string
	}{
		{
			"a metric name with a typo", "gatewayapi:v1", `sum(rate(http_reqeusts_total{namespace="shop"}[1m]))`, "http_reqeusts_total", Empty(),
			`errors: Prometheus has no metric "http_reqeusts_total"`,
		},
		{
			"a label with a typo", "nginx", `sum(rate(http_requests_total{namepsace="shop"}[1m]))`, "namepsace", Empty(),
			`errors: no series of "http_requests_total" has the label "namepsace"`,
		},
		{
			"a label with a typo, blue/green", "kubernetes", `sum(rate(http_requests_total{namepsace="shop"}[1m]))`, "namepsace", Empty(),
			`errors: no series of "http_requests_total" has the label "namepsace"`,
		},
		{"a query that is refused", "gatewayapi:v1", `sum(rate(huge[1m]))`, "huge", Refuse("too many samples"), "errors: the server refused the query"},
		{"several series", "nginx", `rate(pods[1m])`, "rate(pods", Series(1, 2), "errors: the query answers 2 series"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, c.provider, check("errors", c.query))
			s.prometheus.Script(c.part, c.answer)
			s.initialise()
			run := s.rollOut(v2)
			s.end(run, 1)
			s.wantLine(run, c.want)
			s.wantLine(run, "FAILED CHECK 1/2")
			s.wantLine(run, "ROLLED BACK")
			s.wantWeights(0)
			s.wantRolledBack(v1)
			s.wantSafe()
		})
	}
}

// A canary that nobody has visited yet has no data, and that is no reason not to begin.
func TestACheckWithoutDataBeforeThereIsTrafficIsExpected(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", check("errors", `sum(rate(quiet_total{namespace="shop"}[1m]))`))
	s.prometheus.Script("sum(rate(quiet_total", Empty(), Value(0))
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
	asked := map[string]int{}
	for _, q := range s.prometheus.Queries() {
		asked[q.Text]++
	}
	for _, clue := range []string{`count(quiet_total)`, `count(quiet_total{namespace!=""})`} {
		if asked[clue] != 1 {
			t.Errorf("%s was asked %d times, want once", clue, asked[clue])
		}
	}
}

// A value outside its bounds says nothing of a canary without traffic.
func TestAValueOutsideItsBoundsIsNoFailureBeforeThereIsTraffic(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("threshold", 1))
	s.prometheus.Script("", Value(42), Value(100))
	s.initialise()
	run := s.rollOut(v2)
	s.end(run, 0)
	s.wantLine(run, "every check can be asked")
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}

// A provider that is away for a moment costs neither a failed check nor the rollout.
func TestAProviderThatComesBackWithinTheWindowCostsNothing(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("threshold", 1), analysis("interval", "6s"), analysis("stepWeight", 50))
	s.initialise()
	run := s.rollOut(v2)
	s.awaitWeight(50)
	// Four attempts are in vain: three at once, and one after a pause.
	s.prometheus.Script("status=~", Fail(503, "away"), Fail(503, "away"), Fail(503, "away"), Fail(503, "away"), Value(100))
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 50, 0)
	s.wantSafe()
	asked := 0
	for _, q := range s.prometheus.Queries() {
		if contains(q.Text, "status=~") {
			asked++
		}
	}
	if asked < 6 { // the probe, four in vain, and the answer
		t.Errorf("the rate of success was asked %d times", asked)
	}
}

func TestTooFewRequestsAreNoData(t *testing.T) {
	t.Parallel()
	const few = "3 requests in the last 1m, at least 20 are asked for"
	t.Run("which fails", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, "nginx")
		s.prometheus.Script("increase(", Value(3.2))
		s.initialise()
		run := s.rollOut(v2, "--min-requests", "20")
		s.end(run, 1)
		s.wantLine(run, few)
		s.wantLine(run, "FAILED CHECK 1/2")
		s.wantWeights(0, 10, 0)
		s.wantRolledBack(v1)
		s.wantSafe()
	})
	t.Run("which is waited for", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, "gatewayapi:v1", analysis("threshold", 1))
		s.prometheus.Script("increase(", Value(3), Value(3), Value(3), Value(3), Value(20)) // two checks in two windows
		s.initialise()
		run := s.rollOut(v2, "--min-requests=20", "--on-no-data=hold")
		s.end(run, 0)
		s.wantLine(run, few)
		s.wantPromoted(v2)
		s.wantWeights(0, 10, 20, 30, 40, 50, 0)
		s.wantSafe()
	})
	t.Run("which is no matter", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, "gatewayapi:v1", analysis("threshold", 1))
		s.prometheus.Script("increase(", Value(3))
		s.initialise()
		s.end(s.rollOut(v2, "--min-requests=20", "--on-no-data=pass"), 0)
		s.wantPromoted(v2)
		s.wantSafe()
	})
}

// Data that never comes is not waited for without end.
func TestNoDataIsWaitedForAsLongAsAGate(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("threshold", 1))
	s.prometheus.Script("increase(", Value(3))
	s.initialise()
	const limit = 4
	run := s.rollOut(v2, "--min-requests=20", "--on-no-data=hold", "--gate-timeout="+strconv.Itoa(limit)+"s")
	s.end(run, 1)
	s.wantLine(run, "ROLLED BACK")
	first, last := run.AwaitLine("3 requests in the last 1m"), run.AwaitLine("ROLLED BACK")
	if waited := last.At.Sub(first.At); waited < (limit-2)*time.Second {
		t.Errorf("it was rolled back %s after the first window without data", waited)
	}
	s.wantWeights(0, 10, 0)
	s.wantRolledBack(v1)
	s.wantSafe()
}

// Failures in a row end a rollout before the threshold does; one that is followed by a pass does not.
func TestConsecutiveFailuresEndARollout(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("threshold", 10))
	s.initialise()
	run := s.rollOut(v2, "--consecutive", "2")
	s.awaitWeight(10)
	s.prometheus.Script("status=~", Value(42), Value(100), Value(42), Value(43), Value(100))
	s.end(run, 1)
	s.wantLine(run, "FAILED CHECK 1/10")
	s.wantLine(run, "FAILED CHECK 2/10")
	s.wantLine(run, "FAILED CHECK 3/10 request-success-rate: 43.00 % is below the minimum of 99 %")
	s.wantLine(run, "ROLLED BACK")
	s.wantRolledBack(v1)
	s.wantSafe()
}
