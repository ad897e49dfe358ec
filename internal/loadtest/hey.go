package loadtest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rakyll/hey/requester"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// hey is a load test as a command line of hey describes it.
type hey struct {
	options *Options
	flags   *heyFlags
	target  *url.URL
	header  http.Header
	proxy   *url.URL
	notes   []string
}

// hey reads the arguments of a hey.
func (r *reader) hey(args []string) job {
	f := define()
	before := len(r.Problems)
	f.parse(args, r)
	if len(r.Problems) > before {
		f.check(r)
		return nil // which words are flags is not known, so nothing can be said about the URL
	}
	f.check(r)
	h := &hey{options: r.options, flags: f, header: f.header(r), proxy: f.proxyURL(r), target: &url.URL{}}
	switch words := f.set.Args(); len(words) {
	case 0:
		r.addf("hey: the URL is missing")
	case 1:
		target, problem := parseTarget(words[0], r.options.Namespaces)
		if problem != "" {
			r.addf("hey: %s", problem)
			break
		}
		h.target = target
	default:
		r.addf("hey: %q follows the URL: flags must come before it, and there can be but one URL", short(httpx.Redact(words[1])))
	}
	if h.proxy != nil {
		if _, problem := parseTarget(h.proxy.String(), r.options.Namespaces); problem != "" {
			r.addf("hey: -x: %s", problem)
		}
	}
	h.remark()
	return h
}

// remark notes what has no effect.
func (h *hey) remark() {
	h.flags.set.Visit(func(one *flag.Flag) {
		if one.Name == "cpus" {
			h.notes = append(h.notes, "-cpus has no effect: the load is made in a process that does other work, too")
		}
	})
	if _, set := h.header["Host"]; set {
		h.notes = append(h.notes, "-H Host has no effect, as in hey: use -host")
	}
}

// String describes it, without header, body and credentials.
func (h *hey) String() string {
	amount := fmt.Sprintf("-n %d", h.flags.requests)
	if h.flags.duration > 0 {
		amount = "-z " + h.flags.duration.String()
	}
	if h.flags.rate > 0 {
		amount += fmt.Sprintf(" -q %g", h.flags.rate)
	}
	return fmt.Sprintf("hey %s -c %d -m %s %s", amount, h.flags.workers, strings.ToUpper(h.flags.method),
		short(httpx.RedactURL(h.target.String())))
}

// run makes the load. The end of ctx ends the requests that are under way, too.
func (h *hey) run(ctx context.Context) (outcome, error) {
	body := []byte(h.flags.body)
	if h.flags.bodyFile != "" {
		var err error
		if body, err = h.options.readFile(h.flags.bodyFile); err != nil {
			return outcome{}, fmt.Errorf("read the body of -D: %w", err)
		}
	}
	sending, end := outlive(ctx)
	defer end()
	request, err := h.request(sending, body)
	if err != nil {
		return outcome{}, err
	}
	opened := &connections{}
	written := &bytes.Buffer{}
	work := h.work(request, written)
	alive := sending
	if !h.flags.noKeep {
		alive = opened.trace(sending)
	}
	work.RequestFunc = func() *http.Request {
		one := request.Clone(alive)
		if len(body) > 0 {
			one.Body = io.NopCloser(bytes.NewReader(body))
		}
		return one
	}
	ended := h.drive(ctx, work, end)
	opened.close()
	if !ended {
		return outcome{notes: h.notes}, ctx.Err()
	}
	return h.outcome(ctx, written.Bytes())
}

// request returns the request that all are copies of.
func (h *hey) request(ctx context.Context, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, strings.ToUpper(h.flags.method), h.target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header = h.header
	request.ContentLength = int64(len(body))
	if h.flags.host != "" {
		request.Host = h.flags.host
	}
	if h.options.Address != nil && h.proxy == nil {
		at, err := h.options.Address(ctx, hostPort(h.target))
		if err != nil {
			return nil, fmt.Errorf("reach %s: %w", h.target.Host, err)
		}
		request.URL.Host = at // request.Host remains what it was
	}
	return request, nil
}

// work returns what makes the requests.
func (h *hey) work(request *http.Request, to io.Writer) *requester.Work {
	f := h.flags
	named := *request
	// hey takes the host for the name in TLS; with a port in it, servers that choose by name would know none.
	if host, _, err := net.SplitHostPort(request.Host); err == nil {
		named.Host = host
	}
	requests := f.requests
	if f.duration > 0 {
		requests = math.MaxInt32
		// hey makes room for a million results at once, unless it knows that there will be fewer.
		if most := (f.duration.Seconds()*f.rate + 2) * float64(f.workers); f.rate > 0 && most < math.MaxInt32 {
			requests = int(most) + f.workers
		}
	}
	return &requester.Work{
		Request: &named, N: requests, C: f.workers, QPS: f.rate, Timeout: f.timeout, H2: f.http2, ProxyAddr: h.proxy,
		DisableCompression: f.noCompress, DisableKeepAlives: f.noKeep, DisableRedirects: f.noFollow,
		Output: figuresTemplate(f.output == "csv"), Writer: to,
	}
}

// drive runs the work until it is done, its duration is over, or ctx ends. It returns false when a worker could not be
// waited for: with a low -q it sleeps until its next request, and nothing wakes it. end breaks off what is under way.
func (h *hey) drive(ctx context.Context, work *requester.Work, end func()) bool {
	work.Init() // before Stop may be called
	done := make(chan struct{})
	go func() {
		defer close(done)
		work.Run()
	}()
	var over <-chan time.Time
	if h.flags.duration > 0 {
		timer := time.NewTimer(h.flags.duration)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-done:
		return true
	case <-over:
	case <-ctx.Done():
	}
	work.Stop() // once: a second call would wait for workers that are gone
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	grace := time.NewTimer(h.options.grace)
	defer grace.Stop()
	select {
	case <-done:
		return true
	case <-grace.C:
	}
	if !enough(ctx) {
		return false
	}
	end() // of a server that answers slowly; the figures are worth the wait for the workers
	again := time.NewTimer(h.options.grace)
	defer again.Stop()
	select {
	case <-done:
		return true
	case <-again.C:
		return false
	}
}

// hostPort returns the host and port of a URL, also when the port is that of the scheme.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
