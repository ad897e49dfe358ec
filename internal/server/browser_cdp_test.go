package server

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// browserPatience is how long one step in the browser may take, on a machine that does much else.
const browserPatience = time.Minute

// browser is a Chromium that is told what to do through a pipe, in the words of the Chrome DevTools Protocol.
type browser struct {
	t  *testing.T
	to *os.File

	mu       sync.Mutex
	number   int
	answers  map[int]chan cdpMessage
	session  string
	loaded   chan struct{} // holds a token when a page was loaded
	problems []string      // what the console of the pages has said
}

type cdpMessage struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// openBrowser starts the Chromium of PENSTOCK_CHROMIUM with one empty tab.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("PENSTOCK_CHROMIUM")
	if path == "" {
		t.Skip("PENSTOCK_CHROMIUM is not set; .ci/browser sets it")
	}
	profile := profileOf(t)
	commandsIn, commands := pipe(t)
	messages, messagesOut := pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-pipe",
		"--disable-background-networking", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{commandsIn, messagesOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = commandsIn.Close(), messagesOut.Close()
	b := &browser{t: t, to: commands, answers: map[int]chan cdpMessage{}, loaded: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	reading.Go(func() { b.read(messages) })
	t.Cleanup(func() {
		_ = commands.Close() // which ends the browser
		stop := time.AfterFunc(browserPatience/6, cancel)
		reading.Wait() // it closes its end when it ends
		stop.Stop()
		cancel()
		_ = cmd.Wait()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// profileOf makes a directory for a browser, which its helpers still write to for a moment after it has ended.
func profileOf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "penstock-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end := time.Now().Add(browserPatience)
		for err := os.RemoveAll(dir); err != nil; err = os.RemoveAll(dir) {
			if time.Now().After(end) {
				t.Errorf("waited %s for the browser to leave %s: %v", browserPatience, dir, err)
				return
			}
			<-time.After(50 * time.Millisecond)
		}
	})
	return dir
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// read takes messages, each of which ends with a zero byte, until the browser has ended.
func (b *browser) read(from *os.File) {
	defer from.Close()
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadString(0)
		if err != nil {
			return
		}
		var m cdpMessage
		if json.Unmarshal([]byte(strings.TrimSuffix(text, "\x00")), &m) != nil {
			continue
		}
		b.mu.Lock()
		switch m.Method {
		case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
			b.problems = append(b.problems, text)
		case "Page.loadEventFired":
			select {
			case b.loaded <- struct{}{}:
			default:
			}
		}
		if answer := b.answers[m.ID]; m.ID > 0 && answer != nil {
			answer <- m
		}
		b.mu.Unlock()
	}
}

// call sends a command and waits for what comes of it.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	answer := make(chan cdpMessage, 1)
	b.mu.Lock()
	b.number++
	id := b.number
	b.answers[id] = answer
	b.mu.Unlock()
	m := cdpMessage{ID: id, Method: method, SessionID: b.session}
	if params != nil {
		m.Params = params
	}
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	timer := time.NewTimer(browserPatience)
	defer timer.Stop()
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
	case <-timer.C:
		b.t.Fatalf("the browser did not answer %s within %s", method, browserPatience)
	}
}

// ask evaluates an expression in the page and returns its value. A promise is waited for.
func (b *browser) ask(expression string) any {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &answer)
	if e := answer.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s", expression, e.Exception.Description)
	}
	return answer.Result.Value
}

// until waits until a condition holds in the page.
func (b *browser) until(condition string) {
	b.t.Helper()
	poll := `new Promise((done) => { const end = Date.now() + %d; const look = () => { let is = false; try { is = %s } catch {}
		if (is) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 20); }; look(); })`
	if b.ask(fmt.Sprintf(poll, (browserPatience/2).Milliseconds(), condition)) != true {
		b.t.Fatalf("waited %s in vain for %s; the page is\n%v", browserPatience/2, condition, b.ask("document.body.innerText"))
	}
}

// open shows an address and waits until it is loaded.
func (b *browser) open(address string) {
	b.t.Helper()
	select {
	case <-b.loaded:
	default:
	}
	var loaded struct{ ErrorText string }
	b.call("Page.navigate", map[string]any{"url": address}, &loaded)
	if loaded.ErrorText != "" {
		b.t.Fatalf("%s: %s", address, loaded.ErrorText)
	}
	timer := time.NewTimer(browserPatience)
	defer timer.Stop()
	select {
	case <-b.loaded:
	case <-timer.C:
		b.t.Fatalf("%s was not loaded within %s", address, browserPatience)
	}
}

// sized makes the window so many pixels wide, and dark or light.
func (b *browser) sized(width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// picture keeps what the page looks like in the directory PENSTOCK_SCREENSHOTS, if there is one.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("PENSTOCK_SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// quiet fails when a page had something to complain about: an error of the script, a violation of its policy, a request
// that failed.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Errorf("the console says %s", problem)
	}
	b.problems = nil
}
