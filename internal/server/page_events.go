package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/report"
)

const (
	pageListeners = 256              // connections that wait for changes at once; each is a goroutine and a few kilobytes
	pageEvery     = 15 * time.Second // how often a connection hears something at least: proxies close silent ones after a minute
	pagePause     = time.Second      // between two changes on a connection; what comes meanwhile is sent as one
	pagePatience  = 10 * time.Second // how long a write may take; who reads more slowly is dropped, and comes again
	pageAgain     = 2 * time.Second  // after which a browser connects again
)

// pageListener is one connection that waits for changes of a view.
type pageListener struct {
	page    *Page
	w       http.ResponseWriter
	control *http.ResponseController
	view    pageView
	sent    string // the hash of what the browser shows
	told    report.BoardNews
}

// pageView renders what somebody looks at.
type pageView struct {
	render func(report.Board) ([]byte, error)
	about  func(*report.Standing) bool
}

// events sends the changing part of a page whenever it has changed, until the browser goes or the server ends. There is no
// queue: a connection that was busy gets the newest state and never what was in between.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	if !p.join() {
		w.Header().Set("Retry-After", "30")
		gateAnswer(w, http.StatusServiceUnavailable, "too many listen, or the server ends; reload to see what is new\n")
		return
	}
	defer p.leave()
	l := &pageListener{page: p, w: w, control: http.NewResponseController(w), view: viewOf(r), sent: r.Header.Get("Last-Event-ID")}
	if l.control.SetReadDeadline(time.Time{}) != nil { // else the connection would count as lost once its time to be read is over
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of proxies that would wait for the end
	w.WriteHeader(http.StatusOK)
	if l.write(fmt.Appendf(nil, "retry: %d\n\n", pageAgain.Milliseconds())) != nil {
		return
	}
	l.run(r.Context())
}

func viewOf(r *http.Request) pageView {
	query := r.URL.Query()
	if !query.Has("canary") {
		v := report.ParseBoardView(query)
		return pageView{func(b report.Board) ([]byte, error) { return b.Fragment(v) }, func(*report.Standing) bool { return true }}
	}
	namespace, canary := query.Get("namespace"), query.Get("canary")
	return pageView{
		func(b report.Board) ([]byte, error) { return b.RolloutFragment(namespace, canary) },
		func(s *report.Standing) bool { return s.Namespace == namespace && s.Canary == canary },
	}
}

func (p *Page) join() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		return false
	default:
	}
	if p.listeners >= pageListeners {
		return false
	}
	p.listeners++
	return true
}

func (p *Page) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners--
}

// run sends until the browser or the server goes.
func (l *pageListener) run(ctx context.Context) {
	for {
		board, changed := l.page.board()
		if l.send(board) != nil {
			return
		}
		if !l.sleep(ctx, pagePause, nil) || !l.sleep(ctx, pageEvery-pagePause, changed) {
			return
		}
	}
}

// sleep waits for a time, or until there is something new. It returns false when it is time to go.
func (l *pageListener) sleep(ctx context.Context, wait time.Duration, changed <-chan struct{}) bool {
	timer := l.page.config.Clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-l.page.closed:
		return false
	case <-changed:
	case <-timer.C():
	}
	return true
}

// send writes what differs from what the browser shows, or a line that keeps the connection.
func (l *pageListener) send(b report.Board) error {
	fragment, err := l.view.render(b)
	if err != nil {
		l.page.config.Log.Error("the page cannot be written", "error", err)
		return err
	}
	sum := sha256.Sum256(fragment)
	id := hex.EncodeToString(sum[:12])
	var out bytes.Buffer
	if id == l.sent {
		out.WriteString(": nothing new\n\n")
	} else {
		fmt.Fprintf(&out, "event: page\nid: %s\n", id)
		eventData(&out, string(fragment))
	}
	said, told := b.News(l.told, l.view.about)
	if l.told = told; said != "" {
		out.WriteString("event: news\n")
		eventData(&out, said)
	}
	l.sent = id
	return l.write(out.Bytes())
}

// eventData writes the data of an event: no line of it can be taken for another field.
func eventData(out *bytes.Buffer, text string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "")) {
		out.WriteString("data: " + strings.TrimSuffix(line, "\n") + "\n")
	}
	out.WriteString("\n")
}

func (l *pageListener) write(text []byte) error {
	if err := l.control.SetWriteDeadline(l.page.config.Clock.Now().Add(pagePatience)); err != nil {
		return err
	}
	if _, err := l.w.Write(text); err != nil {
		return err
	}
	return l.control.Flush()
}
