package loadtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// supply gives hey its requests. hey copies each, and the client changes nothing of what it sends, so without a body all are
// one and the same. What a request costs beside its bytes is what holds a load back, so nothing here is made for each of
// them that can be made once.
type supply struct {
	part   *part
	ctx    context.Context
	opened *connections
	total  int // requests
	made   atomic.Int64

	// limit is the longest that one request may take, 0 without an end, where one worker has this supply for itself: it has
	// one request under way at a time, and one timer does for all. Where several share it, hey makes a timer for each, of
	// timeout seconds.
	limit   time.Duration
	timeout int

	over   *time.Timer
	cancel context.CancelCauseFunc
	plain  *http.Request
	traced *http.Request // which tells of its connection
}

// looked is how often a request tells of its connection: a trace costs a twentieth of the rate. It tells of a connection that
// an earlier request has opened, too, so that only one escapes which is opened by the last few requests before a load that
// has no number is stopped; the server closes that one when it has idled.
const looked = 16

// supply returns the supply of so many requests. Whoever asks for it ends it.
func (p *part) supply(ctx context.Context, opened *connections, total int) *supply {
	s := &supply{part: p, ctx: ctx, opened: opened, total: total}
	if p.workers == 1 {
		s.limit = time.Duration(p.hey.flags.timeout) * time.Second
	} else {
		s.timeout = p.hey.flags.timeout
	}
	s.renew()
	return s
}

// renew makes the requests anew, after one that took too long has ended those before.
func (s *supply) renew() {
	s.end()
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.cancel = cancel
	s.plain = s.part.request.WithContext(ctx)
	s.traced = s.plain
	if !s.part.hey.flags.noKeep {
		s.traced = s.part.request.WithContext(s.opened.trace(ctx))
	}
	if s.limit > 0 {
		s.over = time.AfterFunc(s.limit, func() { cancel(fmt.Errorf("no answer within %s, which -t allows", s.limit)) })
	}
}

// next returns a request to send now.
func (s *supply) next() *http.Request {
	if s.over != nil && !s.over.Reset(s.limit) {
		s.renew()
	}
	one, n := s.plain, int(s.made.Add(1))
	if n%looked == 1 || n > s.total-s.part.workers {
		one = s.traced
	}
	if len(s.part.body) > 0 {
		copied := *one
		copied.Body = io.NopCloser(bytes.NewReader(s.part.body))
		one = &copied
	}
	return one
}

// errNoMore is what ends a request that is still under way when its load is over.
var errNoMore = errors.New("the load is over")

// end lets go of what the supply holds.
func (s *supply) end() {
	if s.over != nil {
		s.over.Stop()
	}
	if s.cancel != nil {
		s.cancel(errNoMore)
	}
}
