package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-dev/penstock/internal/approval"
)

func TestAChangeIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l, m := config.Looker.(*looker), config.Store.(*memory)
		r, began := run(t, config), time.Now()
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		synctest.Wait()
		if l.looks() != 1 || l.seen[0] != subject(approval.GitHub, 3) || !time.Now().Equal(began) {
			t.Errorf("looks %v after %s", l.seen, time.Since(began))
		}
		if p, err := m.Pending(t.Context()); len(p) != 0 || err != nil {
			t.Errorf("pending %v %v", p, err)
		}
		if n := scrape(t, r.Server, `penstock_webhook_look_duration_seconds_count{outcome="ok",platform="github"}`); n != "1" {
			t.Errorf("%q looks measured", n)
		}
	})
}

func TestASlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, began := run(t, sampleConfig()), time.Now()
		req := fromGitHub(issueComment, "d-1", comment(3, approve))
		req.ContentLength = -1
		body, feed := io.Pipe() // that never says more
		defer feed.Close()
		req.Body = body
		r.deliver(req, http.StatusRequestTimeout)
		if took := time.Since(began); took != bodyTimeout {
			t.Errorf("answered after %s", took)
		}
		if n := scrape(t, r.Server, `penstock_webhook_refusals_total{platform="github",reason="body_too_slow"}`); n != "1" {
			t.Errorf("%q refusals", n)
		}
	})
}

func TestABodyThatEndsEarlyIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, sampleConfig())
		conn, err := r.pipes.dial()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"X-Hub-Signature-256: sha256=00\r\nContent-Length: 100\r\n\r\n{")
		_ = conn.Close()
		synctest.Wait()
		if n := scrape(t, r.Server, `penstock_webhook_refusals_total{platform="github",reason="body_unreadable"}`); n != "1" {
			t.Errorf("%q refusals", n)
		}
	})
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, began := run(t, sampleConfig()), time.Now()
		conn, err := r.pipes.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() { fmt.Fprint(conn, "POST /webhooks/github HTTP/1.1\r\nHost: ") }()
		if _, err := io.ReadAll(conn); err != nil || time.Since(began) > headerTimeout+time.Second {
			t.Errorf("closed after %s: %v", time.Since(began), err)
		}
	})
}

// TestTheAnswerComesInTime has a body that comes as late as it may, and a store that hangs.
func TestTheAnswerComesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		config.Store.(*memory).enter = func() { time.Sleep(commitTimeout) }
		r, began := run(t, config), time.Now()
		answers := make(chan time.Duration)
		const many = 5
		for i := range many {
			go func() {
				text := comment(i+1, approve)
				req := fromGitHub(issueComment, fmt.Sprint("d-", i), text)
				body, feed := io.Pipe()
				go func() {
					time.Sleep(time.Duration(i) * (bodyTimeout - time.Millisecond) / many)
					_, _ = io.WriteString(feed, text)
					_ = feed.Close()
				}()
				req.Body = body
				if _, err := r.do(req); err != nil {
					t.Error(err)
				}
				answers <- time.Since(began)
			}()
		}
		for range many {
			if took := <-answers; took >= 10*time.Second {
				t.Errorf("answered after %s", took)
			}
		}
	})
}

func TestAFailedLookIsTriedAgainAndStaysPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l, m := config.Looker.(*looker), config.Store.(*memory)
		began, times := time.Now(), []time.Duration(nil)
		l.do = func(context.Context, Subject) error {
			times = append(times, time.Since(began))
			switch len(times) {
			case 1:
				return errors.New("the forge is away")
			case 2:
				panic("a bug")
			case 3:
				if n, err := m.Pending(t.Context()); len(n) != 1 || err != nil {
					t.Errorf("pending %v %v", n, err)
				}
				return errors.New("the forge is away")
			}
			return nil
		}
		r := run(t, config)
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if got, want := fmt.Sprint(times), "[0s 1s 3s 7s]"; got != want {
			t.Errorf("looked at %s, want %s", got, want)
		}
		if n, err := m.Pending(t.Context()); len(n) != 0 || err != nil {
			t.Errorf("pending %v %v", n, err)
		}
	})
}

func TestANewDeliveryEndsTheWaitAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l := config.Looker.(*looker)
		l.do = func(context.Context, Subject) error { return errors.New("away") }
		r := run(t, config)
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		time.Sleep(8 * time.Second) // the next try is at 15 s
		before := l.looks()
		r.deliver(fromGitHub(issueComment, "d-2", comment(3, approve)), http.StatusAccepted)
		synctest.Wait()
		if n := l.looks(); n != before+1 {
			t.Errorf("%d looks, then %d", before, n)
		}
	})
}

func TestADeliveryDuringALookGetsALookOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		l, m, looking := config.Looker.(*looker), config.Store.(*memory), make(chan struct{})
		l.do = func(context.Context, Subject) error { <-looking; return nil }
		r := run(t, config)
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		synctest.Wait()
		for i := range 5 { // all five together get one
			r.deliver(fromGitHub(issueComment, fmt.Sprint("late-", i), comment(3, approve)), http.StatusAccepted)
		}
		synctest.Wait()
		if l.looks() != 1 {
			t.Errorf("%d looks at the same change at once", l.looks())
		}
		looking <- struct{}{}
		synctest.Wait()
		if p, _ := m.Pending(t.Context()); l.looks() != 2 || len(p) != 1 {
			t.Errorf("%d looks, pending %v", l.looks(), p)
		}
		looking <- struct{}{}
		synctest.Wait()
		if p, _ := m.Pending(t.Context()); l.looks() != 2 || len(p) != 0 {
			t.Errorf("%d looks, pending %v", l.looks(), p)
		}
	})
}

func TestNoMoreLooksAtOnceThanWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		config.Workers = 2
		l := config.Looker.(*looker)
		l.do = func(ctx context.Context, _ Subject) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r, began := run(t, config), time.Now()
		for i := range 6 {
			r.deliver(fromGitHub(issueComment, fmt.Sprint("d-", i), comment(i+1, approve)), http.StatusAccepted)
		}
		for at, want := range []int{2, 4, 6} {
			time.Sleep(time.Until(began.Add(time.Duration(at)*time.Second + time.Millisecond)))
			if n := l.looks(); n != want {
				t.Errorf("%d looks after %s, want %d", n, time.Since(began), want)
			}
		}
	})
}

func TestALookThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := sampleConfig()
		config.LookTimeout = 10 * time.Second
		l := config.Looker.(*looker)
		l.do = func(ctx context.Context, _ Subject) error { <-ctx.Done(); return ctx.Err() }
		r := run(t, config)
		r.deliver(fromGitHub(issueComment, "d-1", comment(3, approve)), http.StatusAccepted)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if n := l.looks(); n != 2 {
			t.Errorf("%d looks", n)
		}
		if oldest := scrape(t, r.Server, "penstock_webhook_oldest_pending_seconds"); oldest != "12" {
			t.Errorf("oldest %q", oldest)
		}
	})
}

func TestMountedRoutesAreServed(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	config.Mount = func(r chi.Router) {
		r.Get("/gate/check", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusTeapot, "closed") })
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/gate/check", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer := send(newServer(t, config), req); answer.Code != http.StatusTeapot || !strings.Contains(answer.Body.String(), "closed") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestAnAddressThatIsTakenIsAnError(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := sampleConfig()
	config.Address = taken.Addr().String()
	if err := newServer(t, config).Run(t.Context()); err == nil || !strings.Contains(err.Error(), config.Address) {
		t.Errorf("%v", err)
	}
}
