package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestHooksAreCalledInTheirOrderAndGoWithTheRollout(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			s := newScenario(t, provider, h.hooks("confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout", "rollback"))
			h.answer("rollback", 403)
			s.initialise()
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			s.wantSafe()
			var order []string
			h.mu.Lock()
			for _, c := range h.calls {
				if c.Hook != "rollback" && (len(order) == 0 || order[len(order)-1] != c.Hook) {
					order = append(order, c.Hook)
				}
			}
			h.mu.Unlock()
			// Before all traffic goes to a blue/green canary the promotion is confirmed: it begins there.
			want := []string{"confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout"}
			if !slices.Equal(order, want) {
				t.Errorf("the hooks were called in the order %v, want %v", order, want)
			}
			if calls := h.of("rollout"); len(calls) < 5 || len(calls) > 6 {
				t.Errorf("the rollout hook was called %d times in 5 steps", len(calls))
			}
			checksums := map[string]bool{}
			for _, c := range h.of("rollout") {
				checksums[c.Checksum] = true
			}
			if len(checksums) != 1 {
				t.Errorf("one revision had the checksums %v", checksums)
			}
		})
	}
}

func TestAPreRolloutHookThatFailsCostsNoTraffic(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []int
		code    int
		says    string
	}{
		"at the threshold it rolls back": {[]int{500}, 1, `hook "pre-rollout": answered 500: pre-rollout says no`},
		"no answer counts too":           {[]int{hang}, 1, "no answer within 1s"},
		"once is forgiven":               {[]int{500, 204}, 0, "FAILED CHECK 1/2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			h.answer("pre-rollout", c.answers...)
			s := newScenario(t, "gatewayapi:v1", h.hooks("pre-rollout"))
			s.initialise()
			run := s.rollOut(v2)
			s.end(run, c.code)
			s.wantLine(run, c.says)
			s.wantSafe()
			if c.code == 0 {
				s.wantPromoted(v2)
				return
			}
			s.wantRolledBack(v1)
			s.wantWeights(0)
			if calls := h.of("pre-rollout"); len(calls) != 2 {
				t.Errorf("the hook was called %d times, at a threshold of 2", len(calls))
			}
		})
	}
}

func TestARolloutHookThatFailsCountsAsAFailedCheck(t *testing.T) {
	t.Parallel()
	h := newHookServer(t)
	h.answer("rollout", 200, 200, 500)
	s := newScenario(t, "nginx", h.hooks("rollout"))
	s.initialise()
	run := s.rollOut(v2)
	s.end(run, 1)
	s.wantLine(run, "FAILED CHECK 1/2")
	s.wantLine(run, `hook "rollout": answered 500: rollout says no`)
	s.wantWeights(0, 10, 20, 30, 0)
	s.wantRolledBack(v1)
	s.wantSafe()
}

func TestPostRolloutHooksAreCalledOnceWhateverTheEnd(t *testing.T) {
	t.Parallel()
	h := newHookServer(t)
	s := newScenario(t, "gatewayapi:v1", h.hooks("post-rollout"))
	s.initialise()
	if calls := h.of("post-rollout"); len(calls) > 0 {
		t.Errorf("after the initialisation: %v", calls)
	}
	h.answer("post-rollout", 500) // changes nothing
	s.end(s.rollOut(v2), 0)
	s.prometheus.Script("", Value(12))
	s.end(s.rollOut(v3), 1)
	var phases []string
	for _, c := range h.of("post-rollout") {
		phases = append(phases, c.Phase)
	}
	if want := []string{"Succeeded", "Failed"}; !slices.Equal(phases, want) {
		t.Errorf("the hook was told of %v, want %v", phases, want)
	}
	s.wantSafe()
}

func TestEventsGoToTheirWebhook(t *testing.T) {
	t.Parallel()
	h := newHookServer(t)
	silent := newHookServer(t)
	silent.answer("event", hang)
	s := newScenario(t, "nginx", silent.hooks("event"), h.hooks("event"), func(spec map[string]any) {
		spec["analysis"].(map[string]any)["webhooks"].([]any)[0].(map[string]any)["name"] = "silent"
	})
	begin := time.Now()
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.prometheus.Script("", Value(12))
	s.end(s.rollOut(v3), 1)
	calls := h.of("event")
	var all []string
	before := begin.Add(-time.Second).UnixMilli()
	for _, c := range calls {
		all = append(all, c.Metadata["eventType"]+" "+c.Metadata["eventMessage"])
		at, err := strconv.ParseInt(c.Metadata["timestamp"], 10, 64)
		if err != nil || at < before || at > time.Now().UnixMilli() || c.Metadata["team"] != "shop" || c.Name != "podinfo" || c.Namespace != s.Name {
			t.Errorf("got %+v", c)
		}
		before = at
	}
	text := strings.Join(all, "\n")
	rest := text
	for _, want := range []string{
		"Normal Initialization done!", "Normal New revision detected!", "Normal Advance podinfo", "canary weight 10", "canary weight 50",
		"Normal Copying", "Normal Promotion completed!", "Normal New revision detected!", "Warning Halt podinfo", "Warning Rolling back podinfo",
		"Warning Canary failed!",
	} {
		i := strings.Index(rest, want)
		if i < 0 {
			t.Errorf("no %q in its place among\n%s", want, text)
			break
		}
		rest = rest[i+len(want):]
	}
	if last := calls[len(calls)-1]; last.Phase != "Failed" {
		t.Errorf("the last event tells of the phase %s", last.Phase)
	}
	if len(silent.of("event")) == 0 {
		t.Error("the webhook that does not answer was not called")
	}
	s.wantSafe()
}
