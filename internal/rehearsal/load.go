package rehearsal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// Bounds of a Load.
const (
	MaxRPS   = 10_000
	MaxUsers = 100_000

	defaultUsers    = 100
	defaultInFlight = 512
	// loadTimeout is how long a user waits.
	loadTimeout = 30 * time.Second
)

// Load is the settings of a generator of requests.
type Load struct {
	URL      string
	Host     string            // sent instead of the URL's host, when not empty
	Header   map[string]string // sent with each request
	RPS      float64           // requests per real second, 0 to MaxRPS; 0 sends none
	Users    int               // how many users there are, up to MaxUsers; 0 is 100
	InFlight int               // requests under way at a time; 0 is 512
	Seed     uint64            // decides which user sends which request

	Visit func(user int) Visit // what a user asks for; nil is the URL
	Clock clock.PassiveClock   // by which cookies expire; nil: they do not

	Transport http.RoundTripper // nil is a transport of its own, which is closed at the end
}

// LoadCounts is what came of the requests so far.
type LoadCounts struct {
	Sent      uint64 `json:"sent"`
	OK        uint64 `json:"ok"`
	Failed    uint64 `json:"failed"`    // answered by a 5xx, or not at all
	Cancelled uint64 `json:"cancelled"` // under way when the load ended
	Missed    uint64 `json:"missed"`    // not sent: as many as may be were under way
}

// Generator sends requests at a constant rate, whatever becomes of the ones before (an open loop): a slow answer does not
// hold back the requests of other users, as it would not in production.
type Generator struct {
	load      Load
	transport http.RoundTripper
	own       *http.Transport // what is closed at the end, or nil
	url       *url.URL
	slots     chan struct{}
	requests  sync.WaitGroup
	jar       jar

	sent, ok, failed, cancelled, missed atomic.Uint64
}

// NewGenerator returns a generator that has yet to be Run.
func NewGenerator(load Load) (*Generator, error) {
	switch {
	case !(load.RPS >= 0 && load.RPS <= MaxRPS):
		return nil, fmt.Errorf("rps: %v is not between 0 and %d", load.RPS, MaxRPS)
	case load.Users < 0 || load.Users > MaxUsers:
		return nil, fmt.Errorf("users: %d is not between 0 and %d", load.Users, MaxUsers)
	case load.InFlight < 0:
		return nil, fmt.Errorf("in flight: %d is below 0", load.InFlight)
	}
	u, err := url.Parse(load.URL)
	if err != nil {
		return nil, fmt.Errorf("parse the URL of the load: %w", err)
	}
	if load.Users == 0 {
		load.Users = defaultUsers
	}
	if load.InFlight == 0 {
		load.InFlight = defaultInFlight
	}
	g := &Generator{load: load, url: u, transport: load.Transport, jar: jar{users: map[int]map[string]heldCookie{}}, slots: make(chan struct{}, load.InFlight)}
	if g.transport == nil {
		g.own = &http.Transport{MaxIdleConns: load.InFlight, MaxIdleConnsPerHost: load.InFlight, DisableCompression: true}
		g.transport = g.own
	}
	return g, nil
}

// Counts returns what came of the requests so far.
func (g *Generator) Counts() LoadCounts {
	return LoadCounts{
		OK: g.ok.Load(), Failed: g.failed.Load(), Cancelled: g.cancelled.Load(),
		Missed: g.missed.Load(), Sent: g.sent.Load(), // last: never fewer than what came of them
	}
}

// Run sends requests until ctx ends, and returns when none is under way any more. It is called once.
func (g *Generator) Run(ctx context.Context) {
	defer g.finish()
	if g.load.RPS == 0 {
		<-ctx.Done()
		return
	}
	started := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		// Each request has its time, reckoned from the start: a late timer is made up for, and nothing adds up.
		for ; !g.due(started, n).After(time.Now()); n++ {
			if ctx.Err() != nil {
				return
			}
			g.begin(ctx, n)
		}
		timer.Reset(time.Until(g.due(started, n)))
	}
}

func (g *Generator) due(started time.Time, n uint64) time.Time {
	return started.Add(time.Duration(float64(n) * float64(time.Second) / g.load.RPS))
}

func (g *Generator) finish() {
	g.requests.Wait()
	if g.own != nil {
		g.own.CloseIdleConnections()
	}
}

// begin starts the nth request, unless too many are under way.
func (g *Generator) begin(ctx context.Context, n uint64) {
	select {
	case g.slots <- struct{}{}:
	default:
		g.missed.Add(1)
		return
	}
	g.sent.Add(1)
	g.requests.Go(func() {
		defer func() { <-g.slots }()
		code, err := g.send(ctx, n)
		switch {
		case ctx.Err() != nil && err != nil:
			g.cancelled.Add(1)
		case err != nil || code >= 500:
			g.failed.Add(1)
		default:
			g.ok.Add(1)
		}
	})
}

func (g *Generator) send(ctx context.Context, n uint64) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	user := g.user(n)
	response, err := g.transport.RoundTrip(g.request(user).WithContext(ctx))
	if err != nil {
		return 0, err
	}
	g.jar.keep(user, response.Cookies(), g.now())
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// request is the next one of a user.
func (g *Generator) request(user int) *http.Request {
	r := &http.Request{Method: http.MethodGet, URL: g.url, Host: g.load.Host, Header: http.Header{}}
	if g.load.Visit != nil {
		g.load.Visit(user).ask(r)
	}
	for name, value := range g.load.Header {
		r.Header.Set(name, value)
	}
	r.Header.Set(UserHeader, strconv.Itoa(user))
	if cookies := g.jar.header(user, g.now()); cookies != "" {
		r.Header.Set("Cookie", joinCookies(r.Header.Get("Cookie"), cookies))
	}
	return r
}

// now is the time by which cookies expire.
func (g *Generator) now() time.Time {
	if g.load.Clock == nil {
		return time.Time{}
	}
	return g.load.Clock.Now()
}

// user returns who sends the nth request. Users do not take turns, or a router that counts to ten would always send the
// same ones to the canary. The constants are those of splitmix64 (Steele, Lea and Flood, 2014).
func (g *Generator) user(n uint64) int {
	z := (g.load.Seed + n + 1) * golden
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int((z ^ z>>31) % uint64(g.load.Users))
}
