// Package httpx is the one HTTP client: a total timeout, a cap on what is read, bounded redirects that take no
// credentials to another host, and errors in plain words that show no secrets.
package httpx

import (
	"context"
	"crypto/tls"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout = 10 * time.Second
	DefaultMaxBody = 1 << 20
)

// Options say how a Client behaves. The zero value is ready to use.
type Options struct {
	Version            string        // of penstock, for the User-Agent
	Timeout            time.Duration // of a whole exchange, redirects and body included; 0 means DefaultTimeout
	MaxBody            int64         // bytes of an answer, after decompression; 0 means DefaultMaxBody
	InsecureSkipVerify bool          // do not verify certificates
	NoRedirects        bool          // a redirect is an answer, and nobody goes where it leads
	CutBody            bool          // a longer answer ends at MaxBody, instead of being an error
	Proxy              *url.URL      // takes the place of the proxy of the environment; nil for that one
	Through            Through       // another way to some servers; nil for none
}

// Through returns what sends requests in the place of a transport, which it may use and change: a way to servers that the
// network does not lead to.
type Through func(*http.Transport) http.RoundTripper

// Client sends HTTP requests. It is safe for concurrent use and keeps connections open: make one and share it.
type Client struct {
	http    *http.Client
	timeout time.Duration
}

// New returns a client. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY) unless one is given, and nothing
// else is.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	dialer := &net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}
	proxy := http.ProxyFromEnvironment
	if o.Proxy != nil {
		proxy = http.ProxyURL(o.Proxy)
	}
	base := &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureSkipVerify},
	}
	var way http.RoundTripper = base
	if o.Through != nil {
		way = o.Through(base)
	}
	follow := checkRedirect
	if o.NoRedirects {
		follow = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &Client{timeout: o.Timeout, http: &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: follow,
		Transport:     &transport{base: way, agent: "penstock/" + o.Version, limit: o.MaxBody, cut: o.CutBody},
	}}
}

// HTTP returns the client for libraries that want the standard one. Pass their errors to Explain.
func (c *Client) HTTP() *http.Client { return c.http }

// CloseIdle closes the connections that nobody uses.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Response is an answer that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and reads the whole answer. Any HTTP status is an answer: see Retryable. An error is an *Error.
func (c *Client) Do(ctx context.Context, req *http.Request) (*Response, error) {
	within := Within(ctx, c.timeout)
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, Explain(err, req.URL.String(), within)
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read, or its error is returned
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, Explain(err, req.URL.String(), within)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// limitKey is where WithTimeout keeps what it was given.
type limitKey struct{}

// limit is a deadline, and the time that there was when it was set.
type limit struct {
	at  time.Time
	was time.Duration
}

// WithTimeout is context.WithTimeout, and remembers the timeout, so that an error can name the number that people know
// and not what a busy machine left of it.
func WithTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	at := time.Now().Add(timeout)
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(at) {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(context.WithValue(ctx, limitKey{}, limit{at: at, was: timeout}), at)
}

// Within returns how much time a request that starts now has: the timeout, or less if ctx ends before.
func Within(ctx context.Context, timeout time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return timeout
	}
	if set, ok := ctx.Value(limitKey{}).(limit); ok && set.at.Equal(deadline) {
		return min(timeout, set.was)
	}
	left := time.Until(deadline)
	if left >= timeout {
		return timeout
	}
	left = time.Duration(math.Ceil(float64(left)/float64(time.Millisecond))) * time.Millisecond
	return max(0, left)
}

// transport adds to another one what every exchange needs.
type transport struct {
	base  http.RoundTripper
	agent string
	limit int64
	cut   bool
}

// RoundTrip does not change the request: it sends a copy.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.agent)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &capped{body: resp.Body, left: t.limit, limit: t.limit, cut: t.cut}
	return resp, nil
}

// CloseIdleConnections lets http.Client close them.
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// capped is a body that ends with an error when it is longer than the limit, or just ends there.
type capped struct {
	body        io.ReadCloser
	left, limit int64
	cut         bool
}

func (c *capped) Read(p []byte) (int, error) {
	switch {
	case c.left < 0:
		return 0, &tooLargeError{c.limit}
	case c.left == 0 && c.cut:
		return 0, io.EOF
	}
	if c.cut && int64(len(p)) > c.left {
		p = p[:c.left]
	} else if int64(len(p)) > c.left+1 {
		p = p[:c.left+1] // one more than allowed, to tell an answer that ends at the limit from one that goes on
	}
	n, err := c.body.Read(p)
	c.left -= int64(n)
	if c.left < 0 {
		return n - 1, &tooLargeError{c.limit}
	}
	return n, err
}

func (c *capped) Close() error { return c.body.Close() }
