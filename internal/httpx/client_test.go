package httpx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/httpx"
)

func get(t *testing.T, target string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestAnyStatusIsAnAnswer(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204, 401, 404, 500, 503} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			if status != 204 {
				_, _ = io.WriteString(w, r.UserAgent())
			}
		})
		got, err := httpx.New(httpx.Options{Version: "1.2.3"}).Do(t.Context(), get(t, s.URL))
		if err != nil {
			t.Fatal(err)
		}
		want := "penstock/1.2.3"
		if status == 204 {
			want = ""
		}
		if got.Status != status || string(got.Body) != want {
			t.Errorf("got %d %q, want %d %q", got.Status, got.Body, status, want)
		}
	}
}

func TestTheRequestIsNotChanged(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	req := get(t, s.URL)
	req.Header.Set("X-Scope-OrgID", "shop")
	before := req.Header.Clone()
	if _, err := httpx.New(httpx.Options{}).Do(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, req.Header); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerUpToTheLimitIsReadAndALongerOneIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		size  int
		limit int64
		zip   bool
		want  string
	}{
		{name: "as long as the limit", size: 1000, limit: 1000},
		{name: "one byte more", size: 1001, limit: 1000, want: "the answer is larger than 1000 bytes"},
		{name: "more than the default limit", size: 1<<20 + 1, want: "the answer is larger than 1 MiB"},
		{name: "small on the wire, large when unpacked", size: 1 << 22, zip: true, want: "the answer is larger than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if !c.zip {
					_, _ = w.Write(bytes.Repeat([]byte("a"), c.size))
					return
				}
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = z.Write(bytes.Repeat([]byte("a"), c.size))
				_ = z.Close()
			})
			got, err := httpx.New(httpx.Options{MaxBody: c.limit}).Do(t.Context(), get(t, s.URL))
			if c.want == "" {
				if err != nil || len(got.Body) != c.size {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, httpx.ErrPermanent) {
				t.Errorf("got %v, want a permanent error with %q", err, c.want)
			}
		})
	}
}

func TestASlowServerIsAnErrorThatSaysHowLongItHad(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })

	_, err := httpx.New(httpx.Options{Timeout: 20 * time.Millisecond}).Do(t.Context(), get(t, s.URL))
	if err == nil || err.Error() != s.URL+": no answer within 20ms" || !httpx.IsTransient(err) {
		t.Errorf("timeout of the client: got %v", err)
	}
	ctx, cancel := httpx.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = httpx.New(httpx.Options{}).Do(ctx, get(t, s.URL))
	if err == nil || err.Error() != s.URL+": no answer within 30ms" || !httpx.IsTransient(err) {
		t.Errorf("deadline of the context: got %v", err)
	}
}

func TestAStoppedRequestIsPermanent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := httpx.New(httpx.Options{}).Do(ctx, get(t, "http://127.0.0.1:1"))
	if err == nil || !errors.Is(err, httpx.ErrPermanent) || !errors.Is(err, context.Canceled) || httpx.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestAnUnreachableServerIsTransient(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	target := s.URL
	s.Close()
	_, err := httpx.New(httpx.Options{}).Do(t.Context(), get(t, target+"/x?token=s3cret"))
	if want := "cannot reach " + target + ": connection refused"; err == nil || err.Error() != want || !httpx.IsTransient(err) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAConnectionThatBreaksOffIsTransient(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	_, err := httpx.New(httpx.Options{}).Do(t.Context(), get(t, s.URL))
	if err == nil || !strings.Contains(err.Error(), "the connection was closed before the answer was complete") || !httpx.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestCertificatesAreVerifiedUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = discard()
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := httpx.New(httpx.Options{}).Do(t.Context(), get(t, s.URL))
	if err == nil || !strings.Contains(err.Error(), "authority that is not trusted") || httpx.IsTransient(err) {
		t.Errorf("got %v", err)
	}
	if _, err := httpx.New(httpx.Options{InsecureSkipVerify: true}).Do(t.Context(), get(t, s.URL)); err != nil {
		t.Error(err)
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err = httpx.New(httpx.Options{}).Do(t.Context(), get(t, strings.Replace(plain.URL, "http:", "https:", 1)))
	if err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("got %v", err)
	}
}

func TestNoErrorShowsWhatAURLHides(t *testing.T) {
	t.Parallel()
	target := "http://admin:hunter2@127.0.0.1:1/api?token=s3cret#frag"
	for _, err := range []error{
		httpx.Explain(&url.Error{Op: "Get", URL: target, Err: errors.New("parse " + target + ": odd")}, target, time.Second),
		httpx.Explain(&url.Error{Op: "Get", URL: target, Err: io.EOF}, target, time.Second),
		httpx.Explain(&url.Error{Op: "Get", URL: target, Err: context.DeadlineExceeded}, target, time.Second),
		httpx.Explain(errors.New("odd"), "http://admin:hunter2@[::1/api?token=s3cret", time.Second),
	} {
		for _, secret := range []string{"hunter2", "s3cret", "admin", "frag"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q shows %q", err, secret)
			}
		}
		if !errors.Is(err, httpx.ErrPermanent) && !errors.Is(err, httpx.ErrTransient) {
			t.Errorf("%q has no retry class", err)
		}
	}
	if httpx.Explain(nil, target, 0) != nil {
		t.Error("nil became an error")
	}
	want := "see http://127.0.0.1:1/api?*** there"
	if got := httpx.Redact("see " + target + " there"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOnlySomeStatusesAreWorthARetry(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{200: false, 400: false, 401: false, 404: false, 422: false, 429: true, 500: true, 501: false, 502: true, 503: true, 504: true} {
		if got := httpx.Retryable(status); got != want {
			t.Errorf("%d: got %v", status, got)
		}
	}
}

// lost is a way that leads nowhere, for now or for good.
type lost struct{ passing bool }

func (l lost) RoundTrip(*http.Request) (*http.Response, error) { return nil, l }
func (l lost) Error() string                                   { return "no pod is ready" }
func (l lost) Temporary() bool                                 { return l.passing }

func TestAnotherWayTakesThePlaceOfTheTransport(t *testing.T) {
	t.Parallel()
	for _, passing := range []bool{true, false} {
		client := httpx.New(httpx.Options{Through: func(*http.Transport) http.RoundTripper { return lost{passing} }})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web.shop/path?token=x", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(t.Context(), req)
		if err == nil || err.Error() != "cannot reach http://web.shop: no pod is ready" {
			t.Errorf("error %v, want that of the way, without what the URL may hide", err)
		}
		if httpx.IsTransient(err) != passing {
			t.Errorf("worth another try %v, want %v", httpx.IsTransient(err), passing)
		}
		client.CloseIdle()
	}
}

// What a busy machine has left of a timeout is no number that anybody set; a deadline that comes before it is.
func TestATimeoutKeepsTheNumberThatWasSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := httpx.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.Sleep(20 * time.Second)
		for timeout, want := range map[time.Duration]time.Duration{2 * time.Minute: time.Minute, 10 * time.Second: 10 * time.Second} {
			if got := httpx.Within(ctx, timeout); got != want {
				t.Errorf("within %v of a minute: %v, want %v", timeout, got, want)
			}
		}
		inner, stop := httpx.WithTimeout(ctx, time.Hour) // the outer one ends first
		defer stop()
		if got := httpx.Within(inner, time.Hour); got != time.Minute {
			t.Errorf("a longer one inside: %v, want 1m0s", got)
		}
		short, end := context.WithTimeout(ctx, 30*time.Second)
		defer end()
		if got := httpx.Within(short, time.Hour); got != 30*time.Second {
			t.Errorf("a deadline of another's: %v, want 30s", got)
		}
	})
}

// ofTunnel is an error of a way that is not the network's.
type ofTunnel struct{}

func (ofTunnel) Error() string   { return `port 8080 of pod "shop/web-0": connection refused` }
func (ofTunnel) Temporary() bool { return true }

// A connection that ends before the request is on it has the name of a function of net/http in its error.
func TestNoFunctionOfTheLibraryIsShown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{ofTunnel{}, fmt.Errorf("readLoopPeekFailLocked: %w", ofTunnel{})} {
		got := httpx.Explain(&url.Error{Op: "Get", URL: "http://web.shop/", Err: err}, "http://web.shop/", time.Second)
		const want = `cannot reach http://web.shop: port 8080 of pod "shop/web-0": connection refused`
		if got.Error() != want || !httpx.IsTransient(got) {
			t.Errorf("%v: got %q, transient %v", err, got, httpx.IsTransient(got))
		}
	}
}
