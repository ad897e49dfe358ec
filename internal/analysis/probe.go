package analysis

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Probe asks every check once before any traffic moves, all at once. Pass means that the check can be asked and that what
// it asks for exists, whatever its value. NoData means that the metric, or a label that it is selected by, does not exist
// at all; the message names it. An Error is tried again, as by Check. A try takes at most twice the timeout.
//
// Only a query without an answer is looked into, so a working check costs one request; a comparison
// costs one for each side.
func (a *Analyst) Probe(ctx context.Context, now time.Time) []rollout.CheckResult {
	return a.each(ctx, func(k *ask) (rollout.CheckResult, again) {
		if k.check.Versus != nil {
			return a.probeBoth(ctx, k, now)
		}
		return a.probe(ctx, k, now)
	})
}

func (a *Analyst) probe(ctx context.Context, k *ask, now time.Time) (rollout.CheckResult, again) {
	asked, cancel := httpx.WithTimeout(ctx, a.Timeout)
	defer cancel()
	source, err := a.source(asked, k)
	if err != nil {
		return metric.JudgeProbe(k.check, metric.Answer{Message: err.Error()}), anyTime
	}
	answer := a.query(asked, k, source, k.query(k.check.Query, now))
	result := metric.JudgeProbe(k.check, answer)
	if result.Verdict != rollout.NoData {
		return result, againAfter(answer)
	}
	inquired, cancel := httpx.WithTimeout(ctx, a.Timeout)
	defer cancel()
	missing, note := (&inquiry{Analyst: a, ask: k, source: source, now: now}).missing(inquired)
	switch {
	case ctx.Err() != nil: // nobody knows, and an unanswered clue would pass
		return metric.JudgeProbe(k.check, metric.Answer{Message: "stopped before it was known whether its metrics exist"}), never
	case missing == "":
		return metric.Expected(result, note), never
	}
	return metric.Missing(result, missing, a.LoadHooks), never
}

// inquiry finds out why a query has no answer.
type inquiry struct {
	*Analyst
	*ask
	source metric.Source
	now    time.Time
}

// missing says which thing that the query cannot do without does not exist, or nothing. A clue that cannot be asked
// accuses nobody: some gateways let only certain queries through, and the check itself was answered. That is in the note.
func (i *inquiry) missing(ctx context.Context) (missing, note string) {
	if i.codec.Clues == nil {
		return "", ""
	}
	clues := i.codec.Clues(i.check.Query)
	found := make([]metric.Answer, len(clues))
	var all sync.WaitGroup
	for n, clue := range clues {
		all.Go(func() {
			found[n] = i.Analyst.query(ctx, i.ask, i.source, i.ask.query(clue.Query, i.now))
			if found[n].Outcome == metric.NoData {
				found[n] = i.Analyst.query(ctx, i.ask, i.source, i.ask.query(clue.Past, i.now))
			}
		})
	}
	all.Wait()
	for n, clue := range clues {
		switch found[n].Outcome {
		case metric.NoData:
			return clue.Explain(i.names(ctx, clue)), ""
		case metric.Unreadable:
			note = "whether its metrics exist cannot be asked: " + found[n].Message
		case metric.Number, metric.Several:
		}
	}
	return "", note
}

// names returns what there is instead. Nobody misses it where it cannot be asked.
func (i *inquiry) names(ctx context.Context, clue metric.Clue) []string {
	if clue.Metric == "" || i.codec.Names == nil { // one of several would do; or the provider has no such request
		return nil
	}
	request, err := i.codec.Names(i.source, clue, i.now)
	if err != nil {
		return nil
	}
	resp, body, err := i.fetch(ctx, request)
	if err != nil {
		return nil
	}
	names := i.codec.ParseNames(resp.StatusCode, body)
	hide := secrets(i.source, request)
	for n := range names {
		names[n] = hide.Hide(names[n])
	}
	return names
}
