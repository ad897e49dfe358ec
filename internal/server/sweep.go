package server

import (
	"context"
	"time"
)

const (
	// sweepEvery is how often the Store is asked for what nobody looks at: what a replica left behind that died, and
	// what found no room.
	sweepEvery = time.Minute
	// adoptAfter is how long another replica is given. The looks of two are no harm, only work.
	adoptAfter = 2 * time.Minute
	// giveUpAfter is how long a change without a new delivery is looked at again and again. GitHub's servers deliver
	// again by hand for up to 7 days.
	giveUpAfter  = 7 * 24 * time.Hour
	storeTimeout = 10 * time.Second
)

// sweep loads what is pending, at once and then again and again, until ctx ends. The server is ready after the first
// time that it worked.
func (s *Server) sweep(ctx context.Context) {
	wait, loaded := time.Duration(0), false
	for {
		timer := s.clock.NewTimer(wait)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return
		}
		err := s.load(ctx, loaded)
		switch {
		case err == nil:
			loaded, wait = true, sweepEvery
			s.loaded.Store(true)
		case ctx.Err() != nil:
			return
		default:
			wait = min(max(time.Second, 2*wait), sweepEvery)
			s.log.Error("could not read what is pending", "error", err, "again", wait)
		}
	}
}

// load takes over what is pending: all of it at the start, and later what has waited so long that nobody seems to look.
func (s *Server) load(ctx context.Context, later bool) error {
	bounded, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	all, err := s.config.Store.Pending(bounded)
	if err != nil {
		return err
	}
	now, left := s.clock.Now(), 0
	for _, p := range all {
		switch age := now.Sub(p.Since); {
		case age > giveUpAfter:
			s.giveUp(ctx, p)
		case later && age < adoptAfter:
		case !s.queue.adopt(p, now):
			left++
		}
	}
	if left > 0 {
		s.log.Warn("more changes are pending than there is room for; the rest stays in the store", "left", left)
	}
	s.stir()
	return nil
}

// giveUp ends what no look has helped for so long that nobody waits for it any more.
func (s *Server) giveUp(ctx context.Context, p Pending) {
	s.log.Error("gave up on a change that could not be looked at; a new comment on it starts over",
		"change", p.Subject.String(), "since", p.Since)
	if err := s.commits.done(ctx, p); err != nil {
		s.log.Error("could not give up on a change", "change", p.Subject.String(), "error", err)
		return
	}
	s.queue.drop(p)
}
