package server

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// hearing is a browser that listens for changes.
type hearing struct {
	t    *testing.T
	conn net.Conn
	code int
	body *bufio.Reader
}

// hear connects to the events of a running server.
func hear(r *running, address, last string) *hearing {
	r.t.Helper()
	conn, err := r.pipes.dial()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://penstock"+address, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	if err := req.Write(conn); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return &hearing{t: r.t, conn: conn, code: resp.StatusCode, body: bufio.NewReader(resp.Body)}
}

// event reads the next block, and false when the stream has ended.
func (h *hearing) event() (map[string]string, bool) {
	fields := map[string]string{}
	for {
		line, err := h.body.ReadString('\n')
		if err != nil {
			return nil, false
		}
		if line == "\n" {
			return fields, true
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		fields[name] = strings.TrimPrefix(fields[name]+"\n"+value, "\n")
	}
}

// next is the next event with a name.
func (h *hearing) next() map[string]string {
	h.t.Helper()
	for {
		e, ok := h.event()
		if !ok {
			h.t.Fatal("the stream has ended")
		}
		if e["event"] != "" {
			return e
		}
	}
}

// withPage runs a server with an open page in a bubble.
func withPage(t *testing.T, test func(t *testing.T, p *Page, r *running)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(PageConfig{Open: true})
		p.See("shop", []report.Standing{rolling("podinfo", 10)})
		c := sampleConfig()
		c.Mount, c.NoWebhooks, c.GitHub, c.GitLab = p.Mount, true, GitHub{}, GitLab{}
		test(t, p, run(t, c))
	})
}

func TestChangesAreSentAsTheyCome(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		h := hear(r, "/events?", "")
		if h.code != 200 {
			t.Fatal(h.code)
		}
		first := h.next()
		if first["event"] != "page" || first["id"] == "" || !strings.Contains(first["data"], "<h1>Rollouts</h1>") || !strings.Contains(first["data"], "10%") {
			t.Errorf("%v", first)
		}
		time.Sleep(2 * time.Second)
		began := time.Now()
		p.See("shop", []report.Standing{rolling("podinfo", 20)})
		if e := h.next(); e["event"] != "page" || !strings.Contains(e["data"], "20%") {
			t.Errorf("%v", e)
		}
		if e := h.next(); e["event"] != "news" || e["data"] != "shop/podinfo: Progressing, 20%." {
			t.Errorf("%v", e)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestChangesOfOneRolloutAreItsOwn(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		h := hear(r, "/events?namespace=shop&canary=podinfo", "")
		if e := h.next(); !strings.Contains(e["data"], "<h1>shop/podinfo</h1>") {
			t.Errorf("%v", e)
		}
		p.See("shop", nil)
		if e := h.next(); !strings.Contains(e["data"], "Nothing is kept of this rollout") {
			t.Errorf("%v", e)
		}
	})
}

// Many changes in a moment are one: a slow browser never gets what is old.
func TestABurstOfChangesIsSentAsOne(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		h := hear(r, "/events?", "")
		h.next()
		for w := range 50 {
			p.See("shop", []report.Standing{rolling("podinfo", rollout.Weight(11+w))})
		}
		p.See("shop", []report.Standing{rolling("podinfo", 77)})
		if e := h.next(); !strings.Contains(e["data"], "77%") {
			t.Errorf("the next event is not the newest: %v", e)
		}
	})
}

func TestASilentStreamIsKeptAlive(t *testing.T) {
	withPage(t, func(t *testing.T, _ *Page, r *running) {
		h := hear(r, "/events?find=nothing", "")
		h.next()
		began := time.Now()
		if e, ok := h.event(); !ok || e["event"] != "" {
			t.Errorf("%v %v, want a comment", e, ok)
		}
		if took := time.Since(began); took != pageEvery {
			t.Errorf("silent for %s, want %s", took, pageEvery)
		}
		for time.Since(began) < 10*readTimeout { // it is not cut off by the limit of other requests
			if _, ok := h.event(); !ok {
				t.Fatalf("the stream was cut off after %s", time.Since(began))
			}
		}
	})
}

func TestABrowserThatComesAgainGetsNothingTwice(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		first := hear(r, "/events?find=nothing", "")
		id := first.next()["id"]
		_ = first.conn.Close()
		again := hear(r, "/events?find=nothing", id)
		if e, ok := again.event(); !ok || e["retry"] != "2000" {
			t.Errorf("%v", e)
		}
		if e, ok := again.event(); !ok || e["event"] != "" {
			t.Errorf("%v, want nothing new", e)
		}
		p.See("shop", []report.Standing{rolling("nothing", 5)})
		if e := again.next(); e["id"] == id {
			t.Error("a new page has the old id")
		}
	})
}

func TestWhoDoesNotReadIsDropped(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		h := hear(r, "/events?", "")
		h.next()
		time.Sleep(pageEvery + 2*pagePatience) // a pipe holds nothing: the next write waits for a reader
		synctest.Wait()
		p.mu.Lock()
		n := p.listeners
		p.mu.Unlock()
		if n != 0 {
			t.Errorf("%d still listen", n)
		}
	})
}

func TestTooManyListenersAreRefused(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		all := make([]*hearing, pageListeners)
		for i := range all {
			if all[i] = hear(r, "/events?", ""); all[i].code != 200 {
				t.Fatalf("number %d: %d", i+1, all[i].code)
			}
		}
		if code := hear(r, "/events?", "").code; code != 503 {
			t.Errorf("one too many gets %d", code)
		}
		if code := r.get("/"); code != 200 {
			t.Errorf("the page itself answers %d", code)
		}
		_ = all[0].conn.Close()
		synctest.Wait()
		if code := hear(r, "/events?", "").code; code != 200 {
			t.Errorf("after one has gone: %d", code)
		}
	})
}

// Streams have no end of their own, and must not make the end of the server wait.
func TestStreamsEndWithTheServer(t *testing.T) {
	withPage(t, func(t *testing.T, p *Page, r *running) {
		h := hear(r, "/events?", "")
		h.next()
		over := make(chan bool)
		go func() { _, more := h.event(); over <- more }()
		began := time.Now()
		p.Close()
		if <-over {
			t.Error("the stream goes on")
		}
		r.cancel()
		<-r.ended
		if took := time.Since(began); took > time.Second {
			t.Errorf("it ended after %s", took)
		}
		if p.join() {
			t.Error("a page that has ended takes listeners")
		}
	})
}
