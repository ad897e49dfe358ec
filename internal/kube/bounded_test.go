package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// closer tells that a body was closed.
type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

func TestAProgramThatDoesNotEndHoldsNoRequestUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		closed := false
		b := &bounded{program: "aws", base: tripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Hour) // and looks at no context
			return &http.Response{Body: closer{strings.NewReader(""), &closed}}, nil
		})}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := b.RoundTrip(request(t, ctx)) //nolint:bodyclose // there is none
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `the program "aws"`) {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took != 10*time.Second+programGrace {
			t.Errorf("it took %s", took)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if !closed {
			t.Error("the answer that nobody waits for was not closed")
		}
	})
}

func TestARequestThatNoticesItsEndSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		own := errors.New("cut off while the server answered")
		b := &bounded{program: "aws", base: tripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, own
		})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.RoundTrip(request(t, ctx)); !errors.Is(err, own) { //nolint:bodyclose // there is none
			t.Errorf("%v", err)
		}
	})
}

func request(t *testing.T, ctx context.Context) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://cluster.invalid", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
