package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func startApp(t testing.TB, name string) *App {
	t.Helper()
	a, err := StartApp(t.Context(), Instance{Workload: name, Revision: "abc", Version: "6.1.0", Pod: name + "-abc-1"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestAppSaysWhoItIs(t *testing.T) {
	t.Parallel()
	a := startApp(t, "podinfo")
	response, err := newClient(t).Get("http://" + a.Endpoint().Address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got map[string]string
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"hostname": "podinfo-abc-1", "version": "6.1.0", "revision": "abc", "message": "greetings from podinfo"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAppFailsTheShareThatItIsToldTo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		for _, percent := range []float64{0, 0.5, 1, 5, 12.5, 50, 99, 100} {
			a := newApp(Instance{}, seed*12345)
			a.set(Behaviour{ErrorPercent: percent})
			failed := 0
			for n := 1; n <= 2000; n++ {
				w := httptest.NewRecorder()
				a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				if w.Code == http.StatusInternalServerError {
					failed++
				}
				// The sequence is never further from its share than a few requests, however many there were.
				if want := percent / 100 * float64(n); math.Abs(float64(failed)-want) > 4 {
					t.Fatalf("seed %d: %d of %d requests failed, want %v", seed, failed, n, want)
				}
			}
			if percent == 0 && failed != 0 || percent == 100 && failed != 2000 {
				t.Errorf("seed %d: %d of 2000 requests failed at %v %%", seed, failed, percent)
			}
		}
	}
}

func TestAppStaysHealthyWhileItFails(t *testing.T) {
	t.Parallel()
	a := newApp(Instance{}, 0)
	a.set(Behaviour{ErrorPercent: 100, Latency: time.Hour})
	for _, path := range []string{"/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
}

func TestAppAnswersLateAndNotToClientsThatHaveGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newApp(Instance{}, 0)
		a.set(Behaviour{Latency: 800 * time.Millisecond})
		start := time.Now()
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if took := time.Since(start); took != 800*time.Millisecond || w.Body.Len() == 0 {
			t.Errorf("answered %d bytes after %v", w.Body.Len(), took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start, w = time.Now(), httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if took := time.Since(start); took != 100*time.Millisecond || w.Body.Len() != 0 {
			t.Errorf("answered %d bytes after %v to a client that had gone", w.Body.Len(), took)
		}
	})
}

func TestAppCrashesAndComesBackAtItsAddress(t *testing.T) {
	t.Parallel()
	a := startApp(t, "podinfo")
	client := newClient(t)
	get := func() error {
		response, err := client.Get("http://" + a.Endpoint().Address)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("HTTP %d", response.StatusCode)
		}
		return err
	}
	for round := range 3 {
		if err := get(); err != nil {
			t.Fatalf("round %d: up, and does not answer: %v", round, err)
		}
		a.Behave(Behaviour{Crash: true})
		if get() == nil { // over a connection that was kept, or a new one
			t.Fatalf("round %d: crashed, and answers", round)
		}
		a.Behave(Behaviour{})
	}
}

func TestAppBreaksOffRequestsWhenItCrashes(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	s, err := startLoopback(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-arrived; s.Down(true) }()
	if response, err := newClient(t).Get("http://" + s.Addr().String()); err == nil {
		response.Body.Close()
		t.Error("the request was answered")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// newClient returns a client that leaves no connection open when the test ends.
func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
