package report

import (
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// waiting is a notice of a gate that waits for two people.
func waiting() (*approval.Notice, time.Time) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	p := approval.Defaults()
	p.Groups = []approval.Group{{Name: "sre", MinRole: approval.RoleWrite, Count: 2}}
	return &approval.Notice{Policy: p, Gate: approval.Gate{
		Source: approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}, Name: "confirm-promotion", Rollout: "host-abcdef", Number: 2, Nonce: "abcdefgh",
		OpenedAt: now.Add(-time.Minute), ExpiresAt: now.Add(time.Hour),
	}}, now
}

func TestTheGateSaysWhoApprovedAndWhatItLacks(t *testing.T) {
	t.Parallel()
	n, now := waiting()
	v := approval.Verdict{Missing: []string{"1 more of group sre"}, Votes: []approval.VoteResult{
		{Actor: approval.Actor{Login: "bob"}, Verb: approval.Approve, Counted: true, Reason: approval.Counted, Group: "sre"},
		{Actor: approval.Actor{Login: "eve"}, Verb: approval.Approve, Reason: approval.NotEligible},
	}}
	text := Markdown(Snapshot{Namespace: "shop", Canary: "podinfo", Now: now}, MarkdownOptions{Gate: GateOf(n, &v)})
	for _, want := range []string{
		"2 of sre (everybody with the role write)", "- ✅ bob's approval counts for group sre", "- ✋ still lacks 1 more of group sre",
		"- ✖️ eve's approval does not count", "/canary approve abcdef-2-abcdefgh", "until 2030-01-02 04:04 UTC",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if v.Open = true; GateOf(n, &v) != nil {
		t.Error("an open gate waits")
	}
	v.Open, v.Paused = false, true
	if g := GateOf(n, &v); g.Command != "/canary resume abcdef-2-abcdefgh" {
		t.Errorf("a pause is ended by %q", g.Command)
	}
}

func TestAStatusReplyTellsPhaseWeightStepChecksAndGate(t *testing.T) {
	t.Parallel()
	n, now := waiting()
	value := 99.5
	s := Standing{Namespace: "shop", Canary: "podinfo", Gate: GateOf(n, &approval.Verdict{Missing: []string{"2 more of group sre"}}), Record: rollout.Record{
		Image: "app:2", RunURL: "https://example.com/run/1", Status: rollout.Status{Phase: rollout.WaitingPromotion, Weight: 50, Step: 3, Failed: 1, Gate: "confirm-promotion"},
		History: []rollout.Entry{{Step: 3, Steps: 5, Weight: 50, Checks: []rollout.CheckResult{{Name: "request-success-rate", Value: &value, Unit: "%", Verdict: rollout.Pass}}}},
	}}
	text := StatusReply(Asked{Platform: PlatformGitHub, Login: "eve", URL: "https://example.com/c/1"}, &s, now)
	for _, want := range []string{
		"[this comment](<https://example.com/c/1>) by eve", "step 3/5", "1 failed check", "waiting at the gate", "50%", "request-success-rate", "99.5",
		"still lacks 2 more of group sre", "/canary approve abcdef-2-abcdefgh", "app:2",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if c, err := approval.Parse(text, ""); err != nil || c.Verb != "" {
		t.Errorf("the reply is a command itself: %+v %v", c, err)
	}
}

func TestWhatOthersWroteStaysTextInAReply(t *testing.T) {
	t.Parallel()
	a := Asked{Login: "<img src=x> @all", URL: "javascript:alert(1)", Problem: "**bold** <b>@all</b> #12"}
	text := HelpReply(a, "/ship")
	first, _, _ := strings.Cut(text, "\n")
	if first != "**That was not understood** by `<img src=x> @all`" || strings.Contains(text, "javascript") || !strings.Contains(text, "`/ship approve <target>`") {
		t.Errorf("%q:\n%s", first, text)
	}
	if !strings.Contains(text, "Nothing has changed: `**bold** <b>@all</b> #12`.") {
		t.Errorf("the problem is not quoted:\n%s", text)
	}
}
