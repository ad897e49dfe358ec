package loadtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// senders send the requests of steady load, each one at a time.
type senders struct {
	due     chan time.Time // when a request was to be sent
	running sync.WaitGroup
	client  *http.Client
	request *http.Request
	body    string

	mu        sync.Mutex
	latencies *histogram
	status    map[int]int64
	errors    map[string]int64
	bytes     int64
	broken    int64 // broken off because the load was over
}

// senders starts them. They end when due is closed, or ctx ends.
func (s *steady) senders(ctx context.Context) (*senders, error) {
	request, err := http.NewRequestWithContext(ctx, s.method, s.target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header = s.header
	if host := s.header.Get("Host"); host != "" {
		request.Host = host
	}
	if s.options.Address != nil {
		at, err := s.options.Address(ctx, hostPort(s.target))
		if err != nil {
			return nil, fmt.Errorf("reach %s: %w", s.target.Host, err)
		}
		request.URL.Host = at // request.Host remains what it was
	}
	transport := &http.Transport{
		MaxIdleConns: s.connections, MaxIdleConnsPerHost: s.connections, DisableCompression: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.target.Hostname()}, ForceAttemptHTTP2: true,
	}
	all := &senders{
		due: make(chan time.Time, s.connections+s.rate), request: request, body: s.body,
		client: &http.Client{Transport: transport, Timeout: s.timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the canary is to answer, and nobody else
		}},
		latencies: newHistogram(), status: map[int]int64{}, errors: map[string]int64{},
	}
	for range s.connections {
		all.running.Go(func() {
			for at := range all.due {
				all.send(ctx, at)
			}
		})
	}
	go func() {
		all.running.Wait()
		transport.CloseIdleConnections()
	}()
	return all, nil
}

// send sends one request. Its latency counts from when it was due: that it had to wait is what a user would see.
func (s *senders) send(ctx context.Context, due time.Time) {
	request := s.request.Clone(ctx)
	if s.body != "" {
		request.Body, request.ContentLength = io.NopCloser(strings.NewReader(s.body)), int64(len(s.body))
	}
	response, err := s.client.Do(request)
	var read int64
	status := 0
	if err == nil {
		read, err = io.Copy(io.Discard, io.LimitReader(response.Body, int64(mostAnswer)))
		_ = response.Body.Close()
		status = response.StatusCode
	}
	took := time.Since(due)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled):
		s.broken++
	case err != nil:
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // without the URL, which all have in common, and which may be a local port
		}
		s.errors[err.Error()]++
	default:
		s.bytes += read
		s.status[status]++
		s.latencies.add(took)
	}
}

// load returns the figures, when all senders have ended.
func (s *senders) load(elapsed time.Duration, missed int64) *Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	if missed > 0 {
		s.errors["not sent: too many requests were under way"] += missed
	}
	l := &Load{
		Elapsed: elapsed, Bytes: s.bytes, Status: s.status, Errors: gather(s.errors),
		Mean: s.latencies.mean(), Fastest: s.latencies.least, Slowest: s.latencies.most, Requests: s.latencies.count,
		Percentiles: s.latencies.percentiles(),
	}
	l.Requests += l.Failed()
	if elapsed > 0 {
		l.Rate = float64(l.Requests-missed) / elapsed.Seconds()
	}
	return l
}
