package kube

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// programGrace is how long a request may take to notice by itself that its time is over.
const programGrace = 500 * time.Millisecond

// bounded ends a request when its context ends, whatever the program does that gives its credentials: client-go waits for
// that program without looking at the context, so one that asks a question, or a network that is not there, would hold a
// run up for ever.
type bounded struct {
	base    http.RoundTripper
	program string
}

// RoundTrip implements http.RoundTripper. A request that is given up goes on in the background until the program ends, and
// its answer is closed.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	type result struct {
		answer *http.Response
		err    error
	}
	done, gone := make(chan result), make(chan struct{})
	defer close(gone)
	go func() {
		answer, err := b.base.RoundTrip(req)
		select {
		case done <- result{answer, err}:
		case <-gone:
			if err == nil {
				_ = answer.Body.Close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-req.Context().Done():
	}
	grace := time.NewTimer(programGrace)
	defer grace.Stop()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-grace.C:
		return nil, fmt.Errorf("the program %q of the kubeconfig has given no credentials in time: %w", b.program, context.Cause(req.Context()))
	}
}

// WrappedRoundTripper lets client-go look through it, as for the address of an upgraded connection.
func (b *bounded) WrappedRoundTripper() http.RoundTripper { return b.base }
