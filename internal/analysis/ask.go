package analysis

import (
	"context"
	"net/http"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
)

// waits are the pauses before the second and the third attempt. A provider that is restarted behind a Service is back
// within moments; one that is not costs the check its answer, and the next window asks again.
var waits = [...]time.Duration{100 * time.Millisecond, 400 * time.Millisecond}

// ask sends a request until it has an answer, the failure is one that will not pass, or the time is up. It returns the
// last answer: what the first attempt met says more than that the time then ran out. A server that says when it may be
// asked again is not asked before, which is for patiently to wait for.
func (a *Analyst) ask(ctx context.Context, e *exchange) metric.Answer {
	answer, again := e.send(ctx)
	for _, wait := range waits {
		if !again || answer.After > wait {
			return answer
		}
		select {
		case <-ctx.Done():
			return answer
		case <-a.Clock.After(wait):
		}
		next, more := e.send(ctx)
		if ctx.Err() != nil {
			return answer
		}
		answer, again = next, more
	}
	return answer
}

// exchange is one question on its way.
type exchange struct {
	*ask
	query   metric.Query
	request metric.Request
	hide    concealer
	clock   clock.PassiveClock
	within  time.Duration // how long all attempts together may take
}

// send makes one attempt, and says whether another one is worth it.
func (e *exchange) send(ctx context.Context) (metric.Answer, bool) {
	resp, body, err := e.fetch(ctx, e.request)
	if err != nil {
		explained := httpx.Explain(err, e.request.URL, e.within)
		return metric.Answer{Message: explained.Error()}, ctx.Err() == nil && httpx.IsTransient(explained)
	}
	answer := e.hide.parse(e.codec, e.query, resp.StatusCode, body)
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		answer.After = httpx.RetryAfter(resp.Header, e.clock.Now(), 0)
		if e.codec.Pause != nil {
			answer.After = max(answer.After, e.codec.Pause(resp.Header))
		}
	}
	return answer, httpx.Retryable(resp.StatusCode)
}

// fetch sends one request.
func (k *ask) fetch(ctx context.Context, r metric.Request) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return nil, nil, &httpx.Error{Message: "the request cannot be made: " + httpx.Redact(err.Error())}
	}
	for name, values := range r.Header {
		req.Header[name] = values // the codec made the map for this check alone, and the transport sends a copy
	}
	resp, body, err := k.client.Do(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	return resp, body, nil
}
