package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// Headers that a Proxy understands.
const (
	// UserHeader carries the number of the user who sends a request.
	UserHeader = "X-Penstock-User"
	// ServiceHeader names the version, "primary" or "canary", to whose own Service a request is sent, as load tests do.
	ServiceHeader = "X-Penstock-Service"
)

const (
	maxMirrors      = 64   // copies under way; further ones are not made
	idleConnections = 512  // kept open to each endpoint
	copyBuffer      = 4096 // bytes; the answers are short
)

// Request is one finished request, as the router saw it.
type Request struct {
	Version  Version
	Endpoint Endpoint // who answered; empty when there was nobody
	Answered bool     // by the app itself; else the code is the router's own
	Code     int      // 502 when the endpoint broke off, 503 when there was none
	Duration time.Duration
	At       time.Time // when it finished, by the proxy's clock
	Method   string
	Host     string
	Path     string
	Weight   int  // of the canary, when the request was routed
	Mirrored bool // a copy, whose answer nobody saw
	Direct   bool // sent to the version's own Service, past the router
}

// ProxyOptions are the settings of a Proxy.
type ProxyOptions struct {
	Clock   clock.PassiveClock
	Users   int                               // users are numbered from zero; others are not counted
	Own     func(host string) (Version, bool) // tells by the Host header which version's own Service is asked; may be nil
	Observe func(Request)                     // called once for each finished request, concurrently; may be nil
}

// Proxy is a reverse proxy on the loopback interface that splits requests between two versions exactly as it is told, and
// counts what came of them. It is safe for concurrent use.
type Proxy struct {
	options   ProxyOptions
	transport *http.Transport
	http2     *http.Transport // of gRPC
	reverse   *httputil.ReverseProxy
	server    *loopbackServer
	lane      atomic.Pointer[lane]

	mu     sync.Mutex // guards changes of the lane
	epochs []*epoch

	direct, mirrored counters
	seen             people
	failed           [2]people
	onCanary         people
	wavered          people

	mirroring sync.WaitGroup
	slots     chan struct{}
	alive     context.Context // of the copies, which outlive their request
	end       context.CancelFunc
}

// StartProxy starts a proxy on a free port. It answers 503 until it is told where to send requests. Copies of requests
// end with ctx.
func StartProxy(ctx context.Context, options ProxyOptions) (*Proxy, error) {
	p := &Proxy{
		options: options, slots: make(chan struct{}, maxMirrors),
		seen: newPeople(options.Users), failed: [2]people{newPeople(options.Users), newPeople(options.Users)},
		onCanary: newPeople(options.Users), wavered: newPeople(options.Users),
		transport: &http.Transport{
			MaxIdleConns: 4 * idleConnections, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute,
			DisableCompression: true,
		},
		http2: &http.Transport{Protocols: onlyHTTP2(), DisableCompression: true},
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: byProtocol{p}, BufferPool: newBuffers(),
		ModifyResponse: answered,
		ErrorHandler:   badGateway,
		ErrorLog:       log.New(io.Discard, "", 0), // what goes wrong is counted
	}
	p.Route(Routing{})
	p.alive, p.end = context.WithCancel(ctx)
	server, err := startLoopback(ctx, p)
	if err != nil {
		p.end()
		return nil, fmt.Errorf("start the proxy: %w", err)
	}
	p.server = server
	return p, nil
}

// URL returns where the proxy listens.
func (p *Proxy) URL() string { return "http://" + p.server.Addr().String() }

// Route changes where requests go, from the next one on. Those under way stay where they are.
func (p *Proxy) Route(r Routing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := &lane{Routing: r, turn: [2]*atomic.Uint64{{}, {}}}
	if old := p.lane.Load(); old != nil && old.Split.Canary == r.Split.Canary {
		next.epoch = old.epoch // only who is ready has changed
	} else {
		next.epoch = &epoch{canary: r.Split.Canary, since: p.options.Clock.Now(), canaried: newPeople(p.options.Users)}
		if old != nil && r.Split.Canary > 0 {
			next.epoch.canaried = old.epoch.canaried
		}
		p.epochs = append(p.epochs, next.epoch)
	}
	p.lane.Store(next)
}

// Close ends the proxy, the requests that are under way and the copies.
func (p *Proxy) Close() error {
	p.end()
	err := p.server.Close()
	p.mirroring.Wait()
	p.transport.CloseIdleConnections()
	p.http2.CloseIdleConnections()
	return err
}

// exchange is one request on its way.
type exchange struct {
	endpoint Endpoint
	version  Version
	user     int // -1 when nobody is known
	code     int
	answered bool
	direct   bool
	cookie   string // to be set by the answer
	canaried bool   // the user has been on the canary before
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// ServeHTTP routes a request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := p.lane.Load()
	ex := &exchange{user: -1}
	if user := r.Header.Get(UserHeader); user != "" {
		if n, err := strconv.Atoi(user); err == nil {
			ex.user = n
		}
	}
	if v, own := p.own(r); own {
		ex.version, ex.direct = v, true
		if l.backend(v).NoTraffic { // nobody was there to send it
			http.Error(w, "no-traffic: the "+v.String()+" gets no requests", http.StatusServiceUnavailable)
			return
		}
	} else {
		split := l.split(r)
		ex.version, ex.canaried = l.version(split), l.epoch.canaried.has(ex.user)
		ex.cookie = split.Cookies[ex.version]
		if l.mirrors(split, r) {
			p.mirror(l, r)
		}
	}
	started := time.Now()
	defer func() { p.finish(l, ex, r, time.Since(started)) }()
	p.forward(w, r, l, ex)
}

// own returns the version to whose own Service a request is sent.
func (p *Proxy) own(r *http.Request) (Version, bool) {
	if v, err := parseVersion(r.Header.Get(ServiceHeader)); err == nil {
		return v, true
	}
	if p.options.Own == nil {
		return 0, false
	}
	return p.options.Own(r.Host)
}

func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, l *lane, ex *exchange) {
	var ready bool
	if ex.endpoint, ready = l.endpoint(ex.version); !ready {
		ex.code = http.StatusServiceUnavailable
		http.Error(w, "no ready endpoint of the "+ex.version.String(), ex.code)
		return
	}
	done := false
	defer func() {
		if !done { // the reverse proxy panics when an answer breaks off after its code was sent
			ex.code, ex.answered = http.StatusBadGateway, false
		}
	}()
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex)))
	done = true
}

// finish counts a request.
func (p *Proxy) finish(l *lane, ex *exchange, r *http.Request, took time.Duration) {
	// A client that hangs up has seen no error.
	cancelled := errors.Is(r.Context().Err(), context.Canceled)
	if ex.direct {
		p.direct.add(ex.code, cancelled)
	} else {
		l.epoch.counts[ex.version].add(ex.code, cancelled)
		if !cancelled {
			p.seen.add(ex.user)
			p.follow(l, ex)
			if ex.code >= 500 {
				p.failed[ex.version].add(ex.user)
			}
		}
	}
	if !cancelled {
		p.observe(l, ex, r, took)
	}
}

func (p *Proxy) observe(l *lane, ex *exchange, r *http.Request, took time.Duration) {
	if p.options.Observe == nil {
		return
	}
	p.options.Observe(Request{
		Version: ex.version, Endpoint: ex.endpoint, Answered: ex.answered, Code: ex.code, Duration: took, At: p.options.Clock.Now(),
		Method: r.Method, Host: r.Host, Path: r.URL.Path, Weight: l.Split.Canary, Direct: ex.direct,
	})
}

func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", exchangeOf(r.In).endpoint.Address
	r.Out.Host = r.In.Host
	r.SetXForwarded()
}

func answered(r *http.Response) error {
	ex := exchangeOf(r.Request)
	ex.code, ex.answered = r.StatusCode, true
	if ex.cookie != "" {
		r.Header.Add("Set-Cookie", ex.cookie)
	}
	return nil
}

func badGateway(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchangeOf(r)
	ex.code = http.StatusBadGateway
	http.Error(w, fmt.Sprintf("the %s did not answer: %v", ex.version, err), ex.code)
}
