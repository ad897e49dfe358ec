package analysis

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// versus asks for the samples of both sides over the same window, once, and says whether an Error is worth another try.
func (a *Analyst) versus(ctx context.Context, k *ask, source metric.Source, now time.Time) (rollout.CheckResult, again) {
	row := func(text string) metric.Query {
		q := k.query(text, now)
		q.Every = k.check.Versus.Every
		return q
	}
	questions := []metric.Query{row(k.check.Query), row(k.check.Versus.Query)}
	counted := k.check.Count != ""
	if counted {
		questions = append(questions, k.query(k.check.Count, now), k.query(k.check.Versus.Count, now))
	}
	answers := make([]metric.Answer, len(questions))
	var all sync.WaitGroup
	for i := range questions {
		all.Go(func() { answers[i] = a.query(ctx, k, source, questions[i]) })
	}
	all.Wait()
	result := metric.Compare(k.check, answers[0], answers[1])
	if counted {
		result = metric.EnoughOfBoth(k.check, result, answers[2], answers[3])
	}
	return result, againAfter(answers...)
}

// probeBoth probes the queries for both sides; the first that does not pass is the answer.
func (a *Analyst) probeBoth(ctx context.Context, k *ask, now time.Time) (rollout.CheckResult, again) {
	result, again := a.probe(ctx, k, now)
	if result.Verdict != rollout.Pass {
		return result, again
	}
	primary := *k
	primary.check.Query = k.check.Versus.Query
	if seen, more := a.probe(ctx, &primary, now); seen.Verdict != rollout.Pass {
		seen.Message += " (the query for the primary)"
		return seen, more
	}
	return a.foresee(ctx, k, result, now), again
}

// foresee warns when the primary, which has all of the traffic now, has too few samples to be compared with. A primary that
// has just been made has few as well, so that this is no failure yet.
func (a *Analyst) foresee(ctx context.Context, k *ask, r rollout.CheckResult, now time.Time) rollout.CheckResult {
	ctx, cancel := httpx.WithTimeout(ctx, a.Timeout)
	defer cancel()
	source, err := a.source(ctx, k)
	if err != nil {
		return r // what can be asked was asked
	}
	q := k.query(k.check.Versus.Query, now)
	q.Every = k.check.Versus.Every
	return metric.Foresee(k.check, r, a.query(ctx, k, source, q))
}
