package report_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/race"
	"github.com/penstock-dev/penstock/internal/report"
)

// TestReportsInChromium opens the report's file in a real browser, on a phone and on a desk, in daylight and at night.
// Without a browser it is skipped, unless PENSTOCK_CHROMIUM names one, as .ci/run does. PENSTOCK_SCREENSHOTS names a folder
// for pictures to look at.
func TestReportsInChromium(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	b := browse(t)
	all := map[string]report.Snapshot{"evil": evil(), "huge": huge()}
	for _, name := range []string{"rolled-back", "promoted", "gate", "mirrored", "hostile", "halted", "long-names", "initialised", "no-data", "compared"} {
		all[name] = pages()[name]
	}
	dir := t.TempDir()
	for name, s := range all {
		r := report.Summarise(s)
		if name == "rolled-back" || name == "evil" {
			r = rehearsed(s)
		}
		doc, err := report.HTML(r, s)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, at := range []view{{1100, "light"}, {360, "dark"}} {
			for _, problem := range b.open(path, at) {
				t.Errorf("%s, %d pixels wide, %s: %s", name, at.width, at.scheme, problem)
			}
		}
	}
	// That it can find anything at all.
	const wrong = `<!doctype html><title>x</title><h1 style="color:#ccc;background:#fff">x</h1><div style="width:3000px">x</div><img src="http://127.0.0.1:1/x">
<svg width=50 height=50><text x=0 y=20>aaaa</text><text x=4 y=20>bbbb</text></svg><script>alert(1); throw new Error("x")</script>`
	path := filepath.Join(dir, "wrong.html")
	if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	found := strings.Join(b.open(path, view{1100, "light"}), "\n")
	for _, want := range []string{"is wider than the window", "asked the network", "1 scripts", "an exception", "a dialog", "cover each other", "hard to read"} {
		if !strings.Contains(found, want) {
			t.Errorf("of a page that is wrong it is not found that it has %q: %s", want, found)
		}
	}
}

// view is how somebody looks at a page.
type view struct {
	width  int
	scheme string // light or dark
}

// look is what a page tells of itself, as a list of problems.
const look = `(() => {
	const found = [], root = document.documentElement
	if (root.scrollWidth > innerWidth) found.push("the page is wider than the window: " + root.scrollWidth)
	if (document.scripts.length) found.push(document.scripts.length + " scripts")
	if (!document.title.trim()) found.push("it has no title")
	const first = document.querySelector("h1")
	if (!first || first.getBoundingClientRect().top > 100) found.push("the verdict is not the first thing to see")
	for (const svg of document.querySelectorAll("svg")) {
		const box = svg.getBoundingClientRect()
		if (box.width < 20 || box.height < 8) found.push("a drawing is " + box.width + " by " + box.height)
		const texts = [...svg.querySelectorAll("text")].map(e => [e.textContent, e.getBoundingClientRect()]).filter(([s]) => s.trim())
		for (const [i, [text, a]] of texts.entries()) {
			if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top - 1 || a.bottom > box.bottom + 1) found.push("a text leaves its drawing: " + text.slice(0, 40))
			for (const [other, b] of texts.slice(i + 1))
				if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2) found.push("texts cover each other: " + text.slice(0, 40) + " and " + other.slice(0, 40))
		}
	}
	const rgb = c => c.match(/[\d.]+/g).map(Number)
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.99) return c } return matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(root).colorScheme.includes("dark") ? [18, 18, 18] : [255, 255, 255] }
	const bad = new Set()
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue
		const style = getComputedStyle(e), drawn = e instanceof SVGElement
		const [a, b] = [light(rgb(drawn ? style.fill : style.color).slice(0, 3)), light(behind(e).slice(0, 3))]
		if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) bad.add(e.tagName + "." + (e.getAttribute("class") || "") + " " + style.color)
	}
	for (const e of bad) found.push("a text is hard to read: " + e)
	return found
})()`

// open opens a file and returns what is wrong with it.
func (b *browser) open(path string, at view) []string {
	b.t.Helper()
	b.events = nil
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": at.width, "height": 900, "deviceScaleFactor": 1, "mobile": at.width < 600})
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]string{"name": "prefers-color-scheme", "value": at.scheme}}})
	page := (&url.URL{Scheme: "file", Path: path}).String()
	b.call("Page.navigate", map[string]any{"url": page})
	b.await("Page.loadEventFired")
	var answer struct {
		Result struct {
			Value []string `json:"value"`
		} `json:"result"`
	}
	b.into(b.call("Runtime.evaluate", map[string]any{"expression": look, "returnByValue": true}), &answer)
	problems := answer.Result.Value
	for _, e := range b.events {
		switch e.Method {
		case "Network.requestWillBeSent":
			if u := e.Params.Request.URL; u != page {
				problems = append(problems, "it asked the network for "+u)
			}
		case "Runtime.exceptionThrown":
			problems = append(problems, "it had an exception")
		case "Log.entryAdded":
			problems = append(problems, "the browser complains: "+e.Params.Entry.Text)
		case "Page.javascriptDialogOpening":
			problems = append(problems, "it opened a dialog")
		}
	}
	if dir := os.Getenv("PENSTOCK_SCREENSHOTS"); dir != "" {
		var shot struct{ Data string }
		b.into(b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}), &shot)
		picture, err := base64.StdEncoding.DecodeString(shot.Data)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", strings.TrimSuffix(filepath.Base(path), ".html"), at.width, at.scheme)), picture, 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return slices.Compact(problems)
}

// browser is a Chromium that is spoken to over a pipe: https://chromedevtools.github.io/devtools-protocol/
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
	events  []browserEvent
	said    bytes.Buffer // its log
}

type browserEvent struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *struct{ Message string }
	Params struct {
		Request struct{ URL string }
		Entry   struct{ Text string }
	}
}

// browserLimit bounds everything that is done with the browser.
const browserLimit = 90 * time.Second

// browse starts a browser.
func browse(t *testing.T) *browser {
	t.Helper()
	program := os.Getenv("PENSTOCK_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); program == "" && err == nil {
			program = found
		}
	}
	if program == "" {
		t.Skip("there is no Chromium; .ci/run installs one")
	}
	hear, speak, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	listen, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, to: speak, from: bufio.NewReader(listen)}
	ctx, cancel := context.WithTimeout(t.Context(), browserLimit)
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "--user-data-dir="+home)
	cmd.ExtraFiles, cmd.Stderr, cmd.WaitDelay = []*os.File{hear, tell}, &b.said, time.Second
	cmd.Env = append(os.Environ(), "HOME="+home)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	_, _ = hear.Close(), tell.Close()
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		_, _ = speak.Close(), listen.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.into(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	b.into(b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil)
	}
	return b
}

// call calls a method and returns its result.
func (b *browser) call(method string, params map[string]any) json.RawMessage {
	b.t.Helper()
	id := b.send(method, params)
	for {
		e := b.next("the answer to " + method)
		if e.ID == id {
			if e.Error != nil {
				b.t.Fatalf("%s: %s", method, e.Error.Message)
			}
			return e.Result
		}
	}
}

func (b *browser) send(method string, params map[string]any) int {
	b.t.Helper()
	b.last++
	message := map[string]any{"id": b.last, "method": method, "params": params}
	if params == nil {
		delete(message, "params")
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	if err != nil {
		b.t.Fatalf("ask the browser for %s: %v; it said: %s", method, err, b.said.String())
	}
	return b.last
}

// await waits for an event.
func (b *browser) await(method string) {
	b.t.Helper()
	for {
		if slices.ContainsFunc(b.events, func(e browserEvent) bool { return e.Method == method }) {
			return
		}
		b.next(method)
	}
}

// next reads a message, and keeps it when it is an event. A dialog is answered at once: the page stands still until then.
func (b *browser) next(what string) browserEvent {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("wait for %s for up to %s: %v; the browser said: %s", what, browserLimit, err, b.said.String())
	}
	var e browserEvent
	b.into(bytes.TrimSuffix(text, []byte{0}), &e)
	if e.Method != "" {
		b.events = append(b.events, e)
	}
	if e.Method == "Page.javascriptDialogOpening" {
		b.send("Page.handleJavaScriptDialog", map[string]any{"accept": true})
	}
	return e
}

func (b *browser) into(text []byte, value any) {
	b.t.Helper()
	if err := json.Unmarshal(text, value); err != nil {
		b.t.Fatalf("the browser's answer %.200s: %v", text, err)
	}
}
