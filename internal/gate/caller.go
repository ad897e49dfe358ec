// Package gate calls the webhooks of a canary: the hooks that test it, and the gates that hold its rollout.
//
// What succeeds is what answers with a 2xx status, every one of them: 204 too. A redirect is never followed and never a
// success, since a gate that sends the caller to a login page would else be opened by that page. The URL of a webhook is
// never shown: its user part, query and path may hold credentials, and so may what it answers.
package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// maxBody is how many bytes of an answer are read. Only its status counts, and only its beginning is shown.
const maxBody = 64 << 10

// Config is what a Caller is made of.
type Config struct {
	Canary  *canary.Canary
	Clock   clock.Clock // for the pauses between tries and the time of events; nil is the real one
	Version string      // of penstock, for the User-Agent

	Through httpx.Through // the way to webhooks that the network does not lead to; nil for none
	Tasks   Tasks         // does the tasks of webhooks that name no server; nil when none does

	// EventFailed is told of events that a webhook did not take: the first of them, and then each new reason. It may be
	// nil, and must be safe for concurrent use.
	EventFailed func(error)
}

// Caller calls the webhooks of one canary. It is safe for concurrent use.
type Caller struct {
	Config
	hooks   []*hook // in the order of the canary
	clients map[options]*httpx.Client
}

// options are what the connections to webhooks differ in.
type options struct {
	insecure bool
	timeout  time.Duration
}

// New returns a Caller. It calls nobody yet. The error names every webhook that cannot be called.
func New(c Config) (*Caller, error) {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	caller := &Caller{Config: c, clients: map[options]*httpx.Client{}}
	if c.Canary.Spec.Analysis == nil {
		return caller, nil
	}
	var problems []error
	for i := range c.Canary.Spec.Analysis.Webhooks {
		w := &c.Canary.Spec.Analysis.Webhooks[i]
		target, err := parse(w)
		if err != nil {
			problems = append(problems, fmt.Errorf("webhook %q: %w", w.Name, err))
			continue
		}
		caller.hooks = append(caller.hooks, newHook(w, target, caller.client(w)))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return caller, nil
}

// client returns the client for a webhook. Webhooks of the same options share one, and its connections.
func (c *Caller) client(w *canary.Webhook) *httpx.Client {
	o := options{insecure: w.DisableTLS, timeout: w.EffectiveTimeout()}
	client, ok := c.clients[o]
	if !ok {
		client = httpx.New(httpx.Options{
			Version: c.Version, Timeout: o.timeout, MaxBody: maxBody, InsecureSkipVerify: o.insecure, NoRedirects: true, CutBody: true,
			Through: c.Through,
		})
		c.clients[o] = client
	}
	return client
}

// Close closes the connections that are kept open between calls.
func (c *Caller) Close() {
	for _, client := range c.clients {
		client.CloseIdle()
	}
}

// Call calls the webhooks of a type, in the order of the canary, and stops at the first that does not succeed: Pass means
// that all of them did. Of the rollback hooks it is the other way round, as in Flagger: Pass means that one of them asks
// for a rollback, and they are called until one does.
//
// Fail means that a webhook answered with another status, Error that it could not be asked. Message names the webhook and
// says why, without secrets, in one line. A canary without webhooks of the type gets Unknown, which moves nothing.
//
// A call takes at most, for each webhook, its timeout times its tries and the pauses between them; it ends at once when
// ctx does.
func (c *Caller) Call(ctx context.Context, kind canary.HookType, about About) rollout.HookAnswer {
	answer := rollout.HookAnswer{Hook: kind}
	var held rollout.HookAnswer // the first that did not succeed
	for _, h := range c.hooks {
		if h.EffectiveType() != kind {
			continue
		}
		answer.Verdict, answer.Message = c.one(ctx, h, about.during(kind))
		switch {
		case kind != canary.HookRollback && answer.Verdict == rollout.Pass:
			answer.Message = ""
		case kind != canary.HookRollback, answer.Verdict == rollout.Pass, ctx.Err() != nil:
			return answer
		case held.Verdict == rollout.Unknown:
			held = answer
		}
	}
	switch {
	case answer.Verdict == rollout.Unknown:
		answer.Message = fmt.Sprintf("the canary has no webhook of type %s", kind)
	case held.Verdict != rollout.Unknown:
		return held
	}
	return answer
}
