package loadtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rakyll/hey/requester"
)

const (
	// hey makes room for as many results as there will be requests, a million at most, and what lives is what the collector has
	// to look through. So each worker has its requests made in lots: of a quarter of a megabyte, and with many workers less.
	roomOfHey = 1_000_000
	mostInLot = 4000
)

// part is a share of the load with a transport of its own: the share of one worker, or with HTTP/2, where all share one
// connection, the whole.
//
// hey can close neither its transport nor the connections that idle in it. Workers that share a transport open connections
// that nobody gets to see: one that waits for a new connection is handed that which another gives back, and the new one
// idles until the server closes it. A worker by itself takes whatever it opens, so each connection is seen, and closed.
type part struct {
	hey      *hey
	request  *http.Request // that all are copies of
	body     []byte
	workers  int
	requests int      // of each worker
	lot      int      // how many of them are made in one go
	of       *figures // of all parts

	mu      sync.Mutex
	work    *requester.Work // under way
	stopped bool
}

// parts divides the load.
func (h *hey) parts(request *http.Request, body []byte, of *figures) []*part {
	f := h.flags
	lot := min(max(roomOfHey/f.workers, 1), mostInLot)
	each := f.requests / f.workers // as hey, which leaves the rest
	if f.duration > 0 {
		each = math.MaxInt32
		if most := f.duration.Seconds()*f.rate + 2; f.rate > 0 && most < math.MaxInt32 {
			each = int(most) + 1
		}
	}
	if f.http2 && request.URL.Scheme == "https" {
		return []*part{{hey: h, request: request, body: body, of: of, workers: f.workers, requests: each, lot: lot}}
	}
	list := make([]*part, f.workers)
	for i := range list {
		list[i] = &part{hey: h, request: request, body: body, of: of, workers: 1, requests: each, lot: lot}
	}
	return list
}

// together runs all parts side by side.
func together(sending context.Context, parts []*part) error {
	var running sync.WaitGroup
	failed := make([]error, len(parts))
	for i, one := range parts {
		running.Go(func() { failed[i] = one.run(sending) })
	}
	running.Wait()
	return errors.Join(failed...)
}

// run makes the requests, a lot at a time, until all are made, or stop is called.
func (p *part) run(sending context.Context) error {
	for left := p.requests; left > 0; left -= p.lot {
		opened := &connections{}
		written := &bytes.Buffer{}
		requests := p.supply(sending, opened, min(left, p.lot)*p.workers)
		work := p.requester(requests, written)
		if !p.begin(work) {
			requests.end()
			return nil
		}
		began := time.Now()
		work.Run()
		requests.end()
		opened.close()
		if err := p.of.add(written.Bytes(), began); err != nil {
			return err
		}
	}
	return nil
}

// requester returns what makes requests and writes of them.
func (p *part) requester(requests *supply, to io.Writer) *requester.Work {
	f := p.hey.flags
	named := *p.request
	// hey takes the host for the name in TLS; with a port in it, servers that choose by name would know none.
	if host, _, err := net.SplitHostPort(p.request.Host); err == nil {
		named.Host = host
	}
	return &requester.Work{
		Request: &named, N: requests.total, C: p.workers, QPS: f.rate, Timeout: requests.timeout, H2: f.http2,
		ProxyAddr: p.hey.proxy, DisableCompression: true, DisableKeepAlives: f.noKeep, DisableRedirects: f.noFollow,
		Output: figuresTemplate(f.output == "csv"), Writer: to, RequestFunc: requests.next,
	}
}

// begin notes the lot that is under way, unless there was a stop.
func (p *part) begin(work *requester.Work) bool {
	work.Init() // before Stop may be called
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work = work
	return !p.stopped
}

// stop ends the load after the requests that are under way. It does not wait.
func (p *part) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.work != nil && !p.stopped {
		p.work.Stop() // once: a second call would wait for workers that are gone
	}
	p.stopped = true
}
