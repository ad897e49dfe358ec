package loadtest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// Limits of load at a constant rate.
const (
	mostRate               = 20_000
	defaultConnections     = 64
	mostConnections        = 4096
	defaultRateTimeout     = 20 * time.Second
	mostAnswer         int = 16 << 20 // bytes of a body that are read, lest its connection could not be used again
)

// steady is load at a constant rate, whatever the answers take: users do not wait for each other. Its metadata:
//
//	url          where to, http or https
//	rate         requests a second
//	duration     how long; until ctx ends unless set
//	connections  requests under way at once; 64 unless set. The others wait for their turn;
//	             those of more than a second are not sent
//	method       GET unless set
//	headers      one "Name: value" a line
//	body         of the request
//	timeout      of one request; 20s unless set
type steady struct {
	options     *Options
	rate        int
	duration    time.Duration
	connections int
	method      string
	target      *url.URL
	header      http.Header
	body        string
	timeout     time.Duration
}

// parseRate reads load at a constant rate.
func parseRate(r *reader) job {
	r.only("url", "rate", "duration", "connections", "method", "headers", "body", "timeout")
	r.required("rate")
	s := &steady{
		options:     r.options,
		target:      r.address("url"),
		rate:        r.integer(integer{key: "rate", or: 1, least: 1, top: mostRate}),
		duration:    r.span(span{key: "duration", or: 0, least: time.Millisecond, top: 24 * time.Hour}),
		connections: r.integer(integer{key: "connections", or: defaultConnections, least: 1, top: mostConnections}),
		method:      http.MethodGet,
		header:      r.headers("headers"),
		body:        r.text("body"),
		timeout:     r.span(span{key: "timeout", or: defaultRateTimeout, least: time.Millisecond, top: time.Hour}),
	}
	if method := r.text("method"); method != "" {
		s.method = strings.ToUpper(method)
		if !token.MatchString(method) {
			r.addf("metadata.method is %q: allowed is a method like GET or POST", short(method))
		}
	}
	return s
}

// String describes it, without header, body and credentials.
func (s *steady) String() string {
	length := ""
	if s.duration > 0 {
		length = " for " + s.duration.String()
	}
	return fmt.Sprintf("%s %s at %d requests/s%s", s.method, short(httpx.RedactURL(s.target.String())), s.rate, length)
}

func (s *steady) info() Info {
	return Info{
		Targets: []string{s.target.String()}, Length: s.duration, Authorized: authorized(s.header, s.target), Host: s.header.Get("Host"),
	}
}

// run makes the load until its duration is over, or ctx ends.
func (s *steady) run(ctx context.Context) (outcome, error) {
	sending, end := outlive(ctx)
	defer end()
	senders, err := s.senders(sending)
	if err != nil {
		return outcome{}, err
	}
	defer unhurried()()
	started := time.Now()
	missed := s.schedule(ctx, started, senders.due)
	close(senders.due)
	elapsed := time.Since(started)
	s.drain(ctx, senders, end)
	load := senders.load(elapsed, missed)
	result := outcome{load: load, output: cut(summary(load), s.options.MaxOutput)}
	if missed > 0 {
		result.notes = []string{fmt.Sprintf("%d requests were not sent, since %d were under way and those of a second waited: more connections would take them", missed, s.connections)}
	}
	result.passed, result.message = load.verdict(ctx)
	return result, nil
}

// schedule gives every request its time, reckoned from the start, so that a late timer is made up for and nothing adds up.
// It returns how many nobody could take.
func (s *steady) schedule(ctx context.Context, started time.Time, due chan<- time.Time) (missed int64) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := int64(1)<<62 - 1
	if s.duration > 0 {
		last = int64(s.duration.Seconds() * float64(s.rate))
	}
	for n := int64(0); n < last; {
		select {
		case <-ctx.Done():
			return missed
		case <-timer.C:
		}
		at := s.at(started, n)
		for ; n < last && !at.After(time.Now()); at = s.at(started, n) {
			select {
			case due <- at:
			default:
				missed++
			}
			n++
		}
		timer.Reset(time.Until(at))
	}
	return missed
}

func (s *steady) at(started time.Time, n int64) time.Time {
	return started.Add(time.Duration(float64(n) * float64(time.Second) / float64(s.rate)))
}

// drain waits for the requests that are under way. When the load is over before its time they get a moment, and then end.
func (s *steady) drain(ctx context.Context, senders *senders, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		senders.running.Wait()
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(s.options.grace)
	defer grace.Stop()
	select {
	case <-done:
		return
	case <-grace.C:
	}
	end()
	<-done // the end of their context ends the requests
}
