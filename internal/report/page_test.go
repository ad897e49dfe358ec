package report_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/race"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const marker = "<!-- penstock:rollout 42/shop/podinfo -->"

func abTest() report.Snapshot {
	s := at(2)
	s.Spec.Steps = []rollout.Step{{Match: true}, {Match: true}, {Match: true}}
	s.Status.Weight, s.Route.Canary = 0, 0
	for i := range s.History {
		s.History[i].Weight = 0
	}
	return s
}

func gated() report.Snapshot {
	s := at(5)
	s.Status.Phase, s.Status.Gate = rollout.WaitingPromotion, canary.HookConfirmPromotion
	s.Status.Window, s.WakeAt = time.Time{}, noon.Add(30*time.Minute)
	return because(s, rollout.GateClosed, "confirm-promotion")
}

func pages() map[string]report.Snapshot {
	all := snapshots()
	all["ab"], all["gate"], all["markup"] = abTest(), gated(), evil()
	return all
}

func options(name, platform string) report.MarkdownOptions {
	o := report.MarkdownOptions{Platform: platform, Marker: marker, RunURL: "https://ci.example/runs/7"}
	if name == "gate" {
		o.Gate = &report.Gate{
			Name: "confirm-promotion", Command: "/canary approve r7-2-k3v9q2ab", Who: "@acme/sre with write access",
			Until: noon.Add(30 * time.Minute),
		}
	}
	return o
}

func TestGoldenPages(t *testing.T) {
	t.Parallel()
	for name, s := range pages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "page/"+name+".title", report.Title(s)+"\n")
			golden(t, "page/"+name+".github.md", report.Markdown(s, options(name, report.PlatformGitHub)))
		})
	}
	for _, name := range []string{"rolled-back", "gate"} {
		golden(t, "page/"+name+".gitlab.md", report.Markdown(pages()[name], options(name, report.PlatformGitLab)))
	}
}

func TestARunThatCouldNotFinishSaysSoFirst(t *testing.T) {
	t.Parallel()
	o := options("healthy", report.PlatformGitHub)
	o.Ended = &report.Ended{Title: "could not finish", Why: "the cluster has refused for 10m0s: @all <b>etcd</b> is away", Next: "Run the job again."}
	text := report.Markdown(pages()["healthy"], o)
	golden(t, "page/ended.github.md", text)
	if strings.Contains(text, "**Now:**") || strings.Contains(text, "next in") {
		t.Errorf("it says that something is still to come:\n%s", text)
	}
	for limit := 1; limit < len(text); limit += 97 {
		if o.Limit = limit; len(report.Markdown(pages()["healthy"], o)) > limit {
			t.Errorf("it has more than %d bytes", limit)
		}
	}
}

// huge has a message and an answer of 70,000 characters, and more steps than anybody reads.
func huge() report.Snapshot {
	c := rate(94.2, rollout.Fail)
	c.Message = strings.Repeat("längst | @all ", 5000)
	c.Raw, c.Query = strings.Repeat("```\n", 17500), strings.Repeat("up{}\n", 14000)
	s := failing(5, c)
	s.Status.Phase = rollout.RollingBack
	s.Target.Ready, s.Target.Message, s.Image = false, c.Message, c.Message
	for range 300 {
		s.Spec.Steps = append(s.Spec.Steps, rollout.Step{Weight: 50})
	}
	return s
}

func TestPageNeverExceedsItsLimit(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	all := pages()
	all["huge"] = huge()
	for name, s := range all {
		for _, limit := range []int{0, 65535, 20000, 5000, 2000, 1000, 600, 300, 100, len(marker) + 1, len(marker), 10, 1} {
			o := options(name, report.PlatformGitHub)
			o.Limit = limit
			text := report.Markdown(s, o)
			if limit == 0 {
				limit = 65535
			}
			if len(text) > limit || !utf8.ValidString(text) {
				t.Errorf("%s: %d bytes of %d, valid: %v", name, len(text), limit, utf8.ValidString(text))
			}
			if limit > len(marker) && !strings.HasPrefix(text, marker+"\n") {
				t.Errorf("%s: a page of %d bytes has lost its marker: %q", name, limit, text)
			}
		}
	}
}

func TestPageSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	o := options("huge", report.PlatformGitHub)
	golden(t, "page/huge.github.md", report.Markdown(huge(), o))
	o.Limit = 1500
	s := snapshots()["rolled-back"]
	small := report.Markdown(s, o)
	golden(t, "page/rolled-back.small.md", small)
	if !strings.Contains(small, "Left out to fit: charts") {
		t.Errorf("does not say what is missing:\n%s", small)
	}
	if strings.Contains(report.Markdown(s, options("", report.PlatformGitHub)), "Left out") {
		t.Error("a whole page says that something is missing")
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"healthy":     "30% · step 3/5 · request-duration 145ms · next in 10s",
		"rolled-back": "Rolled back at 30%: request-success-rate 94.2% is below 99% (5 failed checks).",
	} {
		if got := report.Title(snapshots()[name]); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, s := range pages() {
		got := report.Title(s)
		if n := utf8.RuneCountInString(got); n > 140 || strings.ContainsAny(got, "\r\n\x1b\u202e\u200b") {
			t.Errorf("%s: %d characters: %q", name, n, got)
		}
	}
}

func TestRunURLOfAnotherSchemeIsNoLink(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"javascript:alert(1)", "https://ci.example/>\n@all", "https://user:pw@ci.example/", "data:text/html,x"} {
		if text := report.Markdown(at(3), report.MarkdownOptions{RunURL: address}); strings.Contains(text, "[run]") {
			t.Errorf("%q is a link:\n%s", address, text)
		}
	}
}

func TestDiagramsStaySmallEnoughToBeDrawn(t *testing.T) {
	t.Parallel()
	s := at(5)
	for i := range 60 {
		e := rollout.Entry{Time: noon.Add(time.Duration(i) * time.Second), Phase: rollout.Progressing, Step: 5, Steps: 5, Weight: 50}
		for j := range 12 {
			e.Checks = append(e.Checks, rollout.CheckResult{
				Name: "check " + strings.Repeat("x", j), Verdict: rollout.Pass, Value: ptr(0.123456 * float64(i+1)), Min: ptr(0.000123), Max: ptr(12345.678),
			})
		}
		s.History = append(s.History, e)
	}
	text := report.Markdown(s, options("", report.PlatformGitLab))
	all := 0
	for _, part := range strings.Split(text, "```mermaid\n")[1:] {
		diagram, _, _ := strings.Cut(part, "```")
		all += len(diagram)
		if len(diagram) > 2000 {
			t.Errorf("a diagram of %d bytes", len(diagram))
		}
	}
	if all > 5000 || all == 0 {
		t.Errorf("diagrams of %d bytes", all)
	}
	if !strings.Contains(text, "more checks are left out") {
		t.Error("does not say that charts are missing")
	}
}
