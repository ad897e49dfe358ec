package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// hostileText is markup that must stay text.
const hostileText = `"><script>window.pwned=1</script><img src=x onerror="window.pwned=2">'</style></svg>`

// measured is a rollout with a past: n steps of 10 %, each with two checks, of which the last may have failed.
func measured(name string, n int, failed bool) report.Standing {
	s, start := rolling(name, rollout.Weight(10*n)), time.Now().Add(-10*time.Minute)
	r := &s.Record
	r.Image, r.RunURL, r.Commit, r.Target = "ghcr.io/acme/"+name+":6.0.1", "https://github.com/shop/web/actions/runs/7", "0123456789abcdef", "Deployment/"+name
	r.Started, r.Status.Step, r.Status.Revision, r.Status.Promoted = start, n, "7d9f8c", "5c6b7d"
	lowest, most := 99.0, 500.0
	for i := range n + 1 {
		rate, took := 99.5+0.3*math.Sin(float64(i)), 120+40*math.Cos(float64(i))
		verdict := rollout.Pass
		if failed && i == n {
			rate, verdict = 94.2, rollout.Fail
		}
		r.History = append(r.History, rollout.Entry{
			Time: start.Add(time.Duration(i) * time.Minute), Phase: rollout.Progressing, Step: i, Steps: 5, Weight: rollout.Weight(10 * i), Reason: "the step is taken",
			Checks: []rollout.CheckResult{
				{Name: "request-success-rate", Verdict: verdict, Value: &rate, Min: &lowest, Unit: "%"},
				{Name: "request-duration", Verdict: rollout.Pass, Value: &took, Max: &most, Unit: "ms"},
			},
		})
	}
	return s
}

// displayed is a board with a rollout in every state.
func displayed() []report.Standing {
	running := measured("podinfo", 3, false)
	waiting := measured("checkout", 2, false)
	waiting.Record.Status.Gate, waiting.Record.Status.GateSince = "confirm-traffic-increase", time.Now().Add(-3*time.Minute)
	waiting.Gate = &report.Gate{
		Name: "confirm-traffic-increase", Command: "/canary approve r1-2-k3v9q2ab", Who: "2 of owners (shop/owners, everybody with the role maintain)", Until: time.Now().Add(time.Hour),
	}
	waiting.Lacks = []string{"1 more of group owners"}
	waiting.Notice = &approval.Notice{Path: "shop/web", Gate: approval.Gate{Source: approval.Source{Platform: approval.GitHub, Change: 12}}}
	waiting.Decisions = approval.Log{Decisions: []approval.Decision{
		{Actor: approval.Actor{Login: "alice"}, Verb: approval.Approve, Counted: true, Why: "looks good", Observed: time.Now(), URL: "https://github.com/shop/web/pull/12#issuecomment-1"},
	}}
	suspended := measured("search", 1, false)
	suspended.Run, suspended.Record.Status.Suspended, suspended.Record.Status.Gate = report.Unattended, time.Now().Add(-time.Hour), "confirm-promotion"
	ended := func(name string, phase rollout.Phase, code rollout.Code, detail string) report.Standing {
		s := measured(name, 4, phase == rollout.Failed)
		s.Run, s.Record.Status.Phase, s.Record.Status.Weight, s.Record.Status.Reason = report.Unattended, phase, 0, rollout.Reason{Code: code, Detail: detail}
		s.Record.Updated = time.Now().Add(-26 * time.Hour)
		return s
	}
	failed := ended("cart", rollout.Failed, rollout.CheckFailed, "request-success-rate 94.2% is below 99%")
	failed.Record.Status.Failed = 5
	failed.Record.Past = []rollout.Ended{{
		ID: "r-0", Revision: "5c6b7d", Image: "ghcr.io/acme/cart:6.0.0", Phase: rollout.Succeeded, Reason: rollout.Reason{Code: rollout.AllPassed},
		RunURL: "https://github.com/shop/web/actions/runs/6", Updated: time.Now().Add(-72 * time.Hour),
	}}
	hostile := ended("a-name-that-is-as-long-as-the-names-of-some-things-are-in-real-clusters", rollout.Succeeded, rollout.AllPassed, "")
	hostile.Record.Image, hostile.Record.Status.Revision, hostile.Record.Commit, hostile.Problem = hostileText, hostileText, hostileText, hostileText
	damaged := report.Standing{Canary: "broken", Namespace: "shop", Run: report.Unattended, Problem: `the record.json of the ConfigMap "penstock-broken" is damaged`}
	return []report.Standing{running, waiting, suspended, failed, ended("mail", rollout.Succeeded, rollout.AllPassed, ""), hostile, damaged}
}

// served runs a server with a page on a real socket, and returns its address with the token in it.
func served(t *testing.T, p *Page) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := sampleConfig()
	c.Listener, c.Mount, c.NoWebhooks, c.GitHub, c.GitLab = listener, p.Mount, true, GitHub{}, GitLab{}
	s := newServer(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { p.Close(); cancel(); <-ended })
	return fmt.Sprintf("http://viewer:%s@%s/", pageToken, listener.Addr())
}

func browserAndPage(t *testing.T) (b *browser, p *Page, address string) {
	t.Helper()
	p = newPage(PageConfig{Tokens: GateTokens{pageToken}})
	p.See("shop", displayed())
	address = served(t, p)
	b = openBrowser(t)
	b.sized(1280, "light")
	return b, p, address
}

func TestBrowserShowsChangesWithoutAReload(t *testing.T) {
	t.Parallel()
	b, p, address := browserAndPage(t)
	b.open(address)
	b.until("document.getElementById('link').textContent === 'Live'")
	b.ask("document.getElementById('ar-shop.podinfo').focus(); window.same = document.getElementById('r-shop.podinfo')")
	all := displayed()
	all[0].Record.Status.Weight, all[0].Record.Status.Step = 40, 4
	p.See("shop", all)
	b.until("document.querySelector('[id=\"r-shop.podinfo\"] .weight').textContent === '40%'")
	b.until("document.getElementById('news').textContent === 'shop/podinfo: Progressing, 40%.'")
	if b.ask("document.activeElement.id") != "ar-shop.podinfo" || b.ask("window.same === document.getElementById('r-shop.podinfo')") != true {
		t.Error("the change took the focus, or the row, away")
	}
	p.See("shop", append([]report.Standing{rolling("aaa-new", 5)}, all[1:]...))
	b.until("document.getElementById('r-shop.aaa-new') && !document.getElementById('r-shop.podinfo')")
	p.Trouble("shop", fmt.Errorf("the cluster does not answer"))
	b.until("document.getElementById('problems').textContent.includes('may be old')")
	b.open(address + "rollouts/shop/checkout")
	b.until("document.getElementById('link').textContent === 'Live'")
	p.See("shop", nil)
	b.until("document.querySelector('main').textContent.includes('Nothing is kept')")
	b.quiet()
	p.Close()
	b.until("document.getElementById('link').textContent.includes('trying again')")
}

func TestBrowserNeedsNoJavaScript(t *testing.T) {
	t.Parallel()
	b, _, address := browserAndPage(t)
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.open(address)
	text := fmt.Sprint(b.ask("document.body.innerText"))
	for _, part := range []string{"shop/podinfo", "30%", "/canary approve r1-2-k3v9q2ab", "shop/cart", "Not live: reload to see what is new"} {
		if !strings.Contains(text, part) {
			t.Errorf("without JavaScript the page lacks %q:\n%s", part, text)
		}
	}
	b.picture("no-javascript")
	b.open(address + "rollouts/shop/cart")
	if text := fmt.Sprint(b.ask("document.body.innerText")); !strings.Contains(text, "94.2%") {
		t.Errorf("without JavaScript the page of a rollout lacks its checks:\n%s", text)
	}
	b.quiet()
}

func TestBrowserFindsThePageFitForEverybody(t *testing.T) {
	t.Parallel()
	script := os.Getenv("PENSTOCK_AXE")
	if script == "" {
		t.Skip("PENSTOCK_AXE names no axe-core; .ci/browser does")
	}
	b, p, address := browserAndPage(t)
	axe, err := os.ReadFile(script)
	if err != nil {
		t.Fatalf("axe-core: %v", err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{1280, 320} {
			for name, path := range map[string]string{
				"start": "", "gate": "rollouts/shop/checkout", "running": "rollouts/shop/podinfo", "failed": "rollouts/shop/cart", "gone": "rollouts/shop/gone", "found": "?find=car",
			} {
				b.sized(width, scheme)
				b.open(address + path)
				b.until("document.getElementById('link').textContent === 'Live'")
				b.picture(fmt.Sprintf("%s-%s-%d", name, scheme, width))
				if wide := b.ask("document.documentElement.scrollWidth"); wide.(float64) > float64(width) {
					t.Errorf("%s at %d px is %v px wide", name, width, wide)
				}
				if b.ask("window.pwned === undefined") != true {
					t.Errorf("%s: text was run", name)
				}
				if name != "gone" { // whose answer is a 404, which the console has
					b.quiet()
				}
				b.ask(string(axe) + "; true")
				for _, problem := range b.violations() {
					t.Errorf("%s, %s, %d px: %s", name, scheme, width, problem)
				}
				b.mu.Lock()
				b.problems = nil
				b.mu.Unlock()
			}
		}
	}
	b.sized(1280, "light")
	p.Trouble("shop", fmt.Errorf("watch the configmaps: connection refused"))
	b.open(address)
	b.picture("trouble-light-1280")
}

// violations are what axe-core has against the page: all of WCAG 2.2 A and AA that it knows, and its best practices.
func (b *browser) violations() []string {
	b.t.Helper()
	text := b.ask(`axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map(
		(v) => v.id + " (" + v.help + "): " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")).join(" | "))))`)
	var all []string
	if err := json.Unmarshal([]byte(fmt.Sprint(text)), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}
