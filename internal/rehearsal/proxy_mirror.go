package rehearsal

import (
	"context"
	"io"
	"net/http"
	"time"
)

// mirrorTimeout bounds a copy that nobody waits for.
const mirrorTimeout = 30 * time.Second

// mirror sends a copy of a request to the canary and throws the answer away. Nobody waits for it: when too many are under
// way, it is not sent.
func (p *Proxy) mirror(l *lane, r *http.Request) {
	endpoint, ready := l.endpoint(Canary)
	if !ready {
		return
	}
	select {
	case p.slots <- struct{}{}:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(p.alive, mirrorTimeout)
	clone := r.Clone(ctx)
	clone.RequestURI, clone.Body = "", nil
	clone.URL.Scheme, clone.URL.Host = "http", endpoint.Address
	p.mirroring.Go(func() {
		defer func() { cancel(); <-p.slots }()
		started := time.Now()
		code, answered := p.send(clone)
		took := time.Since(started)
		cancelled := p.alive.Err() != nil
		p.mirrored.add(code, cancelled)
		if !cancelled && p.options.Observe != nil {
			p.options.Observe(Request{
				Version: Canary, Endpoint: endpoint, Answered: answered, Code: code, Duration: took, At: p.options.Clock.Now(),
				Method: clone.Method, Host: clone.Host, Path: clone.URL.Path, Weight: l.Split.Canary, Mirrored: true,
			})
		}
	})
}

// send returns the code of the answer, 502 when there was none.
func (p *Proxy) send(r *http.Request) (code int, answered bool) {
	response, err := p.transport.RoundTrip(r)
	if err != nil {
		return http.StatusBadGateway, false
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return http.StatusBadGateway, false
	}
	return response.StatusCode, true
}
