package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// dispatch hands changes that are due to workers until ctx ends, and returns when the last of them has ended. Looks go on
// under their own context, which the caller may end.
func (s *Server) dispatch(ctx, looks context.Context) {
	free := make(chan struct{}, s.config.Workers)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		p, ok := s.take(ctx)
		if !ok {
			return
		}
		s.looking.Go(func() {
			defer func() { <-free }()
			s.look(looks, p)
		})
	}
}

// take waits for the next change that is due.
func (s *Server) take(ctx context.Context) (Pending, bool) {
	for ctx.Err() == nil {
		p, ok, wait := s.queue.next(s.clock.Now())
		if ok {
			return p, true
		}
		if wait == 0 { // nothing waits: only a delivery, or a sweep, can change that
			wait = time.Hour
		}
		timer := s.clock.NewTimer(wait)
		select {
		case <-s.wake:
		case <-timer.C():
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return Pending{}, false
}

// look looks at one change, and marks it as done when that ended well.
func (s *Server) look(ctx context.Context, p Pending) {
	began := s.clock.Now()
	err := s.ask(ctx, p.Subject)
	took, outcome := s.clock.Since(began), "ok"
	if err == nil {
		if err = s.commits.done(ctx, p); err != nil {
			err = fmt.Errorf("mark as done: %w", err)
		}
	}
	if err != nil {
		outcome = "error"
	}
	s.metrics.looks.WithLabelValues(string(p.Subject.Platform), outcome).Observe(took.Seconds())
	wait := s.queue.finish(p, err != nil, s.clock.Now())
	s.stir()
	switch {
	case err == nil:
		s.log.Info("looked at a change", "change", p.Subject.String(), "took", took)
	case ctx.Err() != nil:
		s.log.Warn("stopped before a look ended; it stays pending", "change", p.Subject.String())
	default:
		s.log.Error("could not look at a change; it stays pending", "change", p.Subject.String(), "error", err, "again", wait)
	}
}

// ask bounds a look. One that panics is one that failed: the others go on.
func (s *Server) ask(ctx context.Context, subject Subject) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.LookTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("a look panicked", "change", subject.String(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("the look panicked: %v", r)
		}
	}()
	return s.config.Looker.Look(ctx, subject)
}

// stir wakes the dispatcher.
func (s *Server) stir() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}
