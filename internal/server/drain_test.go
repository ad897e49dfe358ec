package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/penstock-dev/penstock/internal/approval"
)

func TestReadyOnlyBetweenLoadingAndStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		config.Linger = 5 * time.Second
		l, m := config.Looker.(*looker), config.Store.(*memory)
		m.ledger.apply(Batch{Add: []Delivery{{Key: "ab", Subject: subject(approval.GitLab, 9), At: time.Now()}}})
		m.fail(errors.New("away"))
		r := run(t, config)
		if ready, alive := r.get("/readyz"), r.get("/healthz"); ready != 503 || alive != 200 || l.looks() != 0 {
			t.Errorf("before loading: ready %d, alive %d, %d looks", ready, alive, l.looks())
		}
		m.fail(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if ready := r.get("/readyz"); ready != 200 || l.looks() != 1 {
			t.Errorf("after loading: ready %d, %d looks", ready, l.looks())
		}
		r.cancel()
		synctest.Wait()
		if ready, alive := r.get("/readyz"), r.get("/healthz"); ready != 503 || alive != 200 {
			t.Errorf("while stopping: ready %d, alive %d", ready, alive)
		}
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted) // by who does not know yet
		synctest.Wait()
		if l.looks() != 2 {
			t.Errorf("%d looks while lingering", l.looks())
		}
		time.Sleep(5 * time.Second)
		if _, err := r.do(fromGitHub(issueComment, "d-2", comment(4, approve))); err == nil {
			t.Error("it still accepts")
		}
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestStoppingAnswersAndLooksFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l, m := config.Looker.(*looker), config.Store.(*memory)
		l.do = func(context.Context, Subject) error { time.Sleep(3 * time.Second); return nil }
		m.enter = func() { time.Sleep(time.Second) }
		r := run(t, config)
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		answered := make(chan int)
		go func() {
			status, err := r.do(fromGitHub(issueComment, "d-2", comment(4, approve)))
			if err != nil {
				t.Error(err)
			}
			answered <- status
		}()
		synctest.Wait()
		r.cancel()
		if status := <-answered; status != http.StatusAccepted {
			t.Errorf("the delivery under way: %d", status)
		}
		began := time.Now()
		if err := <-r.ended; err != nil || time.Since(began) > 2*config.withDefaults().DrainTimeout {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		p, _ := m.Pending(t.Context())
		if n := l.looks(); n < 1 || len(p) > 1 || n+len(p) < 2 {
			t.Errorf("%d looks, pending %v", n, p)
		}
		for _, p := range p {
			if p.Subject.Change == 3 {
				t.Error("the look that was under way is not marked")
			}
		}
	})
}

func TestStoppingIsBounded(t *testing.T) {
	t.Parallel()
	for name, obeys := range map[string]bool{"a look that hangs": true, "a look that heeds nothing": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config := sampleConfig()
				config.LookTimeout = time.Hour
				over := make(chan struct{})
				defer close(over)
				config.Looker.(*looker).do = func(ctx context.Context, _ Subject) error {
					if obeys {
						<-ctx.Done()
						return ctx.Err()
					}
					<-over
					return nil
				}
				r := run(t, config)
				r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
				synctest.Wait()
				began := time.Now()
				r.cancel()
				if err := <-r.ended; err != nil {
					t.Error(err)
				}
				want := DefaultDrainTimeout
				if !obeys {
					want += stopTimeout
				}
				if took := time.Since(began); took != want {
					t.Errorf("ended after %s", took)
				}
				if p, _ := config.Store.Pending(t.Context()); len(p) != 1 {
					t.Errorf("pending %v", p)
				}
			})
		})
	}
}

func TestAFullQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		config.QueueLimit, config.Workers = 2, 1
		l, m, looking := config.Looker.(*looker), config.Store.(*memory), make(chan struct{})
		l.do = func(context.Context, Subject) error { <-looking; return nil }
		r := run(t, config)
		for i := range 2 {
			r.deliver(fromGitHub(issueComment, fmt.Sprint("d-", i), comment(i+1, approve)), http.StatusAccepted)
		}
		r.deliver(fromGitHub(issueComment, "d-3", comment(3, approve)), http.StatusServiceUnavailable)
		r.deliver(fromGitHub(issueComment, "d-4", comment(2, approve)), http.StatusAccepted) // it waits already
		r.deliver(fromGitLab(noteHook, "d-5", note(5, approve)), http.StatusAccepted)        // or GitLab switches us off
		if n := scrape(t, r.Server, "penstock_webhook_queue_length"); n != "2" {
			t.Errorf("%q wait", n)
		}
		if p, _ := m.Pending(t.Context()); len(p) != 3 {
			t.Errorf("pending %v", p)
		}
		close(looking)
		time.Sleep(3 * sweepEvery)
		synctest.Wait()
		p, _ := m.Pending(t.Context())
		if n := l.looks(); n != 3 || len(p) != 0 || l.seen[2] != subject(approval.GitLab, 5) {
			t.Errorf("looks %v, pending %v", l.seen, p)
		}
	})
}

func TestWhatAnotherReplicaLeftIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l, m := config.Looker.(*looker), config.Store.(*memory)
		r := run(t, config)
		m.mu.Lock()
		m.ledger.apply(Batch{Add: []Delivery{{Key: "ab", Subject: subject(approval.GitLab, 9), At: time.Now()}}})
		m.mu.Unlock()
		time.Sleep(adoptAfter - time.Second)
		if l.looks() != 0 {
			t.Error("the other was given no time")
		}
		time.Sleep(sweepEvery)
		if p, _ := m.Pending(t.Context()); l.looks() != 1 || len(p) != 0 || r.get("/readyz") != 200 {
			t.Errorf("%d looks, pending %v", l.looks(), p)
		}
	})
}

func TestWhatCannotBeLookedAtIsGivenUpAfterAWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l, m := config.Looker.(*looker), config.Store.(*memory)
		l.do = func(context.Context, Subject) error { return errors.New("no such repository") }
		r := run(t, config)
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		time.Sleep(giveUpAfter - time.Minute)
		if p, _ := m.Pending(t.Context()); len(p) != 1 {
			t.Errorf("pending %v", p)
		}
		time.Sleep(time.Hour)
		if p, _ := m.Pending(t.Context()); len(p) != 0 {
			t.Errorf("pending %v", p)
		}
		if n := scrape(t, r.Server, "penstock_webhook_queue_length"); n != "0" {
			t.Errorf("%q wait", n)
		}
		if n := l.looks(); n < 600 || n > 700 { // four in an hour
			t.Errorf("%d looks", n)
		}
	})
}

func TestAFloodIsTurnedAwayBeforeItIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config, release := sampleConfig(), make(chan struct{})
		config.Store.(*memory).enter = func() { <-release }
		r := run(t, config)
		answers := make(chan int, inFlightLimit)
		for i := range inFlightLimit {
			go func() {
				answers <- send(r.Server, fromGitHub(issueComment, fmt.Sprint("d-", i), comment(i+1, approve))).Code
			}()
		}
		synctest.Wait()
		answer := send(r.Server, fromGitHub(issueComment, "one more", comment(999, approve)))
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != retryAfter || r.get("/healthz") != 200 {
			t.Errorf("one more: %d %v", answer.Code, answer.Header())
		}
		close(release)
		for range inFlightLimit {
			if code := <-answers; code != http.StatusAccepted {
				t.Errorf("one of those before: %d", code)
			}
		}
		r.deliver(fromGitHub(issueComment, "later", comment(999, approve)), http.StatusAccepted)
	})
}

// What is mounted is waited for like a delivery, and not for ever, also where no webhooks are received.
func TestStoppingWaitsForMountedRoutes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes, ends time.Duration
		answered    bool
	}{
		"short": {6 * time.Second, 6 * time.Second, true},
		"long":  {time.Hour, DefaultDrainTimeout, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config := sampleConfig()
				config.NoWebhooks, config.GitHub, config.GitLab, config.Store, config.Looker = true, GitHub{}, GitLab{}, nil, nil
				config.Mount = func(r chi.Router) {
					r.Get("/work", func(http.ResponseWriter, *http.Request) { <-time.After(tt.takes) })
				}
				r := run(t, config)
				synctest.Wait()
				if ready, hooks := r.get("/readyz"), r.get("/webhooks/github"); ready != 200 || hooks != 404 {
					t.Errorf("ready %d, webhooks %d", ready, hooks)
				}
				answered := make(chan bool, 1)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://penstock/work", nil)
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					status, err := r.do(req) // an error means that the connection was cut
					answered <- err == nil && status == http.StatusOK
				}()
				synctest.Wait()
				began := time.Now()
				r.cancel()
				// Shutdown looks now and then whether connections have become idle, up to half a second apart.
				if err := <-r.ended; err != nil || time.Since(began).Round(time.Second) != tt.ends {
					t.Errorf("ended after %s: %v", time.Since(began), err)
				}
				if got := <-answered; got != tt.answered {
					t.Errorf("answered is %t", got)
				}
				<-time.After(tt.takes) // until the handler is over
			})
		})
	}
}
