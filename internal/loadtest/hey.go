package loadtest

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

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
	defer unhurried()()
	began := time.Now()
	of := newFigures(h.options.MaxOutput)
	ended, failed := h.drive(ctx, sending, h.parts(request, body, of), end)
	switch {
	case !ended:
		return outcome{notes: h.notes}, ctx.Err()
	case failed != nil:
		return outcome{}, failed
	}
	return h.outcome(ctx, of, began), nil
}

// request returns the request that all are copies of.
func (h *hey) request(ctx context.Context, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, strings.ToUpper(h.flags.method), h.target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header = h.header
	request.ContentLength = int64(len(body))
	request.Close = h.flags.noKeep
	h.compress(request)
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

// compress asks for a compressed answer, as a client of Go does by itself, and for the same requests. That client would undo
// the compression, which hey reads to its end and throws away: here that takes no time of the load.
func (h *hey) compress(request *http.Request) {
	if h.flags.noCompress || request.Method == http.MethodHead || h.header.Get("Accept-Encoding") != "" || h.header.Get("Range") != "" {
		return
	}
	request.Header = h.header.Clone()
	request.Header.Set("Accept-Encoding", "gzip")
}

// drive runs the parts until they are done, the duration is over, or ctx ends. It returns false when a worker could not be
// waited for: with a low -q it sleeps until its next request, and nothing wakes it. end breaks off what is under way.
func (h *hey) drive(ctx, sending context.Context, parts []*part, end func()) (ended bool, failed error) {
	done := make(chan error, 1)
	go func() { done <- together(sending, parts) }()
	var over <-chan time.Time
	if h.flags.duration > 0 {
		timer := time.NewTimer(h.flags.duration)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case err := <-done:
		return true, err
	case <-over:
	case <-ctx.Done():
	}
	for _, one := range parts {
		one.stop()
	}
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
	}
	grace := time.NewTimer(h.options.grace)
	defer grace.Stop()
	select {
	case err := <-done:
		return true, err
	case <-grace.C:
	}
	if !enough(ctx) {
		return false, nil
	}
	end() // of a server that answers slowly; the figures are worth the wait for the workers
	again := time.NewTimer(h.options.grace)
	defer again.Stop()
	select {
	case err := <-done:
		return true, err
	case <-again.C:
		return false, nil
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
