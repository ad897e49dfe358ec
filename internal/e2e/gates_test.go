package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestNothingMovesBeforeTheRolloutIsConfirmed(t *testing.T) {
	t.Parallel()
	h := newHookServer(t)
	s := newScenario(t, "gatewayapi:v1", h.hooks("confirm-rollout"))
	h.answer("confirm-rollout", 403, 403, 200)
	s.initialise()
	if calls := h.of("confirm-rollout"); len(calls) > 0 {
		t.Errorf("the first revision was held: %v", calls)
	}
	run := s.rollOut(v2)
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
	want := []string{"Initializing", "Initialized", "Waiting", "Progressing", "Promoting", "Finalising", "Succeeded"}
	if got := s.phases(); !slices.Equal(got, want) {
		t.Errorf("the phases were %v, want %v", got, want)
	}
	s.record.Replay(func(m Moment) {
		canary := m.Object("Deployment", "podinfo")
		if recordAt(m).Status.Phase != "Waiting" || canary == nil {
			return
		}
		if n, _, _ := unstructured.NestedInt64(canary.Object, "spec", "replicas"); n > 0 {
			t.Errorf("%s: %d replicas of the canary before it was confirmed", m.Version.At, n)
		}
	})
	for _, c := range h.of("confirm-rollout") {
		if c.Phase != "Waiting" || c.Name != "podinfo" || c.Namespace != s.Name || len(c.Checksum) < 8 || c.Metadata["team"] != "shop" {
			t.Errorf("the gate was told %+v", c)
		}
	}
	begun := s.when("progress", func(m Moment) bool { return recordAt(m).Status.Phase == "Progressing" })
	s.wantPrompt("the rollout began", s.opened(h, "confirm-rollout"), begun)
	s.wantLine(run, "confirm-rollout says no")
}

func TestTrafficDoesNotGrowBeforeItIsConfirmed(t *testing.T) {
	t.Parallel()
	h := newHookServer(t)
	s := newScenario(t, "nginx", h.hooks("confirm-traffic-increase"))
	h.answer("confirm-traffic-increase", 200, 200, 403, 403, 403, 200)
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
	at := func(weight int) time.Time {
		return s.when("so much traffic", func(m Moment) bool { w, known := s.weight(m); return known && w == weight })
	}
	if held := at(30).Sub(at(20)); held < 5*time.Second {
		t.Errorf("the weight was held for %s only", held)
	}
	if calls := h.of("confirm-traffic-increase"); len(calls) != 8 {
		t.Errorf("the gate was asked %d times for 5 steps and 3 refusals", len(calls))
	}
	s.wantPrompt("the traffic grew", s.opened(h, "confirm-traffic-increase"), at(30))
}

func TestAPromotionWaitsForItsConfirmationUnderWatch(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	for name, breaks := range map[string]bool{"until it is confirmed": false, "and is rolled back when the canary breaks meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			s := newScenario(t, "gatewayapi:v1", h.hooks("confirm-promotion", "rollout"))
			record := s.Record(Canaries())
			s.createCanary()
			h.answer("confirm-promotion", 403)
			s.initialise()
			run := s.rollOut(v2)
			s.awaitRecord("that the promotion waits", func(r saved) bool { return r.Status.Phase == "WaitingPromotion" })
			queries, hooks := len(s.prometheus.Queries()), len(h.of("rollout"))
			s.awaitCalls(h, "rollout", hooks+3)
			if more := len(s.prometheus.Queries()) - queries; more < 4 {
				t.Errorf("while the promotion waited there were %d queries and 3 rollout hooks", more)
			}
			if breaks {
				s.prometheus.Script("", Value(12))
				s.end(run, 1)
				s.wantRolledBack(v1)
			} else {
				h.answer("confirm-promotion", 200)
				s.end(run, 0)
				s.wantPromoted(v2)
				promoting := s.when("promote", func(m Moment) bool { return recordAt(m).Status.Phase == "Promoting" })
				s.wantPrompt("the promotion began", s.opened(h, "confirm-promotion"), promoting)
			}
			s.wantWeights(0, 10, 20, 30, 40, 50, 0)
			s.wantSafe()
			if !slices.ContainsFunc(shownIn(record), func(v shown) bool { return v.phase == "WaitingPromotion" && v.weight == 50 }) {
				t.Errorf("the Canary said %v, and not that the waiting canary has 50 %%", shownIn(record))
			}
			for _, c := range h.of("rollout") {
				if c.Phase != "Progressing" {
					t.Errorf("a rollout hook was told of the phase %s", c.Phase)
				}
			}
		})
	}
}

func TestARollbackIsHeardWhereverTheRolloutIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gate  string // that stays closed
		until func(saved) bool
		phase string
	}{
		"before it is confirmed":  {"confirm-rollout", func(r saved) bool { return r.Status.Phase == "Waiting" }, "Waiting"},
		"while the traffic waits": {"confirm-traffic-increase", func(r saved) bool { return r.Status.Phase == "Progressing" }, "Progressing"},
		"while the promotion waits": {"confirm-promotion",
			func(r saved) bool { return r.Status.Phase == "WaitingPromotion" }, "WaitingPromotion"},
		"in the middle of the analysis": {"", func(r saved) bool { return r.Status.Step == 1 }, "Progressing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			types := []string{"rollback"}
			if c.gate != "" {
				types = append(types, c.gate)
				h.answer(c.gate, 403)
			}
			h.answer("rollback", 403)
			s := newScenario(t, "gatewayapi:v1", h.hooks(types...), analysis("interval", "12s"), analysis("stepWeight", 50))
			s.initialise()
			run := s.rollOut(v2)
			s.awaitRecord("that it is time", c.until)
			s.awaitCalls(h, "rollback", 1)
			h.answer("rollback", 200)
			s.end(run, 1)
			s.wantLine(run, "ROLLED BACK")
			s.wantLine(run, `hook "rollback": answered 200`)
			s.wantRolledBack(v1)
			s.wantSafe()
			back := s.when("roll back", func(m Moment) bool {
				return slices.Contains([]string{"RollingBack", "Failed"}, recordAt(m).Status.Phase)
			})
			s.wantPrompt("the rollback began", s.opened(h, "rollback"), back)
			calls := h.of("rollback")
			if last := calls[len(calls)-1]; last.Phase != c.phase {
				t.Errorf("the hook was told of the phase %s, want %s", last.Phase, c.phase)
			}
		})
	}
}

// What is not a yes of the gate itself is none, and the rollout does not wait for ever.
func TestAGateThatDoesNotOpenInTimeEndsTheRollout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer int
		says   string
	}{
		"it says no":                  {403, "answered 403: confirm-promotion says no"},
		"it sends to a login page":    {302, "redirects are not followed"},
		"it does not answer":          {hang, "no answer within 1s"},
		"the proxy before it is lost": {503, "answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			h.answer("confirm-promotion", c.answer)
			s := newScenario(t, "nginx", h.hooks("confirm-promotion"))
			s.initialise()
			run := s.rollOut(v2, "--gate-timeout", "5s")
			s.end(run, 1)
			s.wantLine(run, c.says)
			s.wantLine(run, "confirm-promotion did not open within 5s")
			s.wantRolledBack(v1)
			s.wantWeights(0, 10, 20, 30, 40, 50, 0)
			s.wantSafe()
		})
	}
}

func TestARolloutThatIsHeldAtItsGateGoesOnWithTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHookServer(t)
	h.answer("confirm-promotion", 403)
	s := newScenario(t, "gatewayapi:v1", h.hooks("confirm-promotion", "post-rollout"))
	s.initialise()
	run := s.rollOut(v2, "--gate-timeout", "3s", "--on-gate-timeout", "hold")
	s.end(run, 0)
	if text := run.Stderr(); strings.Contains(text, "PROMOTED") {
		t.Error("the held rollout says that it is promoted")
	}
	s.wantWeight(50)
	if calls := h.of("post-rollout"); len(calls) > 0 {
		t.Errorf("the rollout was said to be over: %v", calls)
	}
	h.answer("confirm-promotion", 200)
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}
