package exporter

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus/push"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// pushPause is how long a Pushgateway that did not take the metrics is left alone, unless the rollout ends before.
const pushPause = 15 * time.Second

// Pusher pushes the metrics of one rollout to a Pushgateway: at every step and at the end. It is a runner.Reporter with
// metrics of its own, so that a slow Pushgateway holds up neither the rollout nor what is scraped. It deletes nothing: the
// last state of a rollout stays until the next one's takes its place.
type Pusher struct {
	feed   *Feed
	pusher *push.Pusher
	failed func(error)

	last  report.Snapshot // as pushed
	until time.Time       // the Pushgateway is left alone
	said  bool
}

// Pusher returns the reporter of one rollout. failed is told the first error; pushing goes on.
func (g *Gateway) Pusher(s Subject, failed func(error)) *Pusher {
	f := newFeed(s)
	return &Pusher{feed: f, pusher: g.pusher(f), failed: failed}
}

// Report takes over a decision and pushes when it is worth it. Only one goroutine may call it.
func (p *Pusher) Report(ctx context.Context, u runner.Update) {
	p.feed.Report(ctx, u)
	s := &u.Snapshot
	over := s.Outcome != rollout.Running
	if !p.worth(s) || !over && s.Now.Before(p.until) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	if err := p.pusher.AddContext(ctx); err != nil {
		p.until = s.Now.Add(pushPause)
		if !p.said {
			p.said = true
			p.failed(err)
		}
		return
	}
	p.last, p.until = *s, time.Time{}
}

// worth reports whether a decision has moved what the metrics show, or was made by checks.
func (p *Pusher) worth(s *report.Snapshot) bool {
	was, is := &p.last.Status, &s.Status
	return is.Phase != "" && (is.Phase != was.Phase || is.Step != was.Step || is.Promotion != was.Promotion ||
		is.Failed != was.Failed || weight(s) != weight(&p.last) || s.Outcome != p.last.Outcome || len(s.Checks) > 0)
}
