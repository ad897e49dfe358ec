package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// fakeSurface remembers what it was shown, and when.
type fakeSurface struct {
	answer func(n int, p Page) error // to the n-th Show, from 1
	took   time.Duration             // of each Show

	mu    sync.Mutex
	start time.Time
	shows []string // title@seconds since the first moment
}

func newSurface() *fakeSurface { return &fakeSurface{start: time.Now()} }

func (*fakeSurface) Name() string { return "check run" }

func (s *fakeSurface) Show(ctx context.Context, p Page) error {
	s.mu.Lock()
	s.shows = append(s.shows, fmt.Sprintf("%s@%v", p.Title, time.Since(s.start).Seconds()))
	n := len(s.shows)
	s.mu.Unlock()
	if s.took > 0 {
		select {
		case <-time.After(s.took):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.answer == nil {
		return nil
	}
	return s.answer(n, p)
}

func (s *fakeSurface) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shows)
}

func (s *fakeSurface) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := s.seen(); !slices.Equal(got, want) {
		t.Errorf("shown: %q, want %q", got, want)
	}
}

func titled(title string) Page { return Page{Title: title} }

// within returns a context that Close can be given.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func noWarnings(t *testing.T, warnings []error) {
	t.Helper()
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
}

func TestPagesThatComeTooFastAreSkippedAndTheLastOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		p := NewPublisher(t.Context(), s)
		for i := range 50 { // one every 90 ms, so that none comes at the moment of a write
			p.Publish(titled(fmt.Sprint(i)))
			synctest.Wait()
			time.Sleep(90 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		s.expect(t, "0@0", "22@2", "44@4", "49@6")
		p.Publish(titled("last"))
		noWarnings(t, p.Close(within(t, time.Second)))
		s.expect(t, "0@0", "22@2", "44@4", "49@6", "last@14.5")
	})
}

func TestCloseDoesNotWaitForTheSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		p := NewPublisher(t.Context(), s)
		p.Publish(titled("a"))
		synctest.Wait()
		p.Publish(titled("b"))
		synctest.Wait()
		noWarnings(t, p.Close(within(t, time.Second)))
		p.Publish(titled("too late"))
		synctest.Wait()
		s.expect(t, "a@0", "b@0")
		noWarnings(t, p.Close(within(t, time.Second)))
	})
}

func TestThePageThatIsShownIsNotWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		p := NewPublisher(t.Context(), s)
		for range 3 {
			p.Publish(titled("a"))
			time.Sleep(10 * time.Second)
		}
		noWarnings(t, p.Close(within(t, time.Second)))
		s.expect(t, "a@0")
	})
}

func TestALongRolloutKeepsToItsShareOfRequestsButNotWithAChangeOfState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		p := NewPublisher(t.Context(), s)
		for i := range 600 {
			p.Publish(titled(fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		if n := len(s.seen()); n < 20 || n > burst+600/30+1 {
			t.Errorf("%d writes in ten minutes", n)
		}
		time.Sleep(time.Minute)
		for i := range 10 {
			p.Publish(titled(fmt.Sprint("more", i)))
			time.Sleep(2 * time.Second)
		}
		before := len(s.seen())
		p.Publish(Page{Title: "approve", State: ActionRequired})
		time.Sleep(3 * time.Second)
		if got := s.seen(); len(got) != before+1 || !strings.HasPrefix(got[before], "approve@") {
			t.Errorf("the wait for an approval was not shown at once: %q", got[before:])
		}
		noWarnings(t, p.Close(within(t, time.Second)))
	})
}

func TestASlowSurfaceDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := newSurface(), newSurface()
		slow.took = time.Hour
		p := NewPublisher(t.Context(), slow, fast)
		before := time.Now()
		p.Publish(titled("a"))
		time.Sleep(5 * time.Second)
		p.Publish(titled("b"))
		time.Sleep(5 * time.Second)
		fast.expect(t, "a@0", "b@5")
		warnings := p.Close(within(t, 3*time.Second))
		if d := time.Since(before); d != 13*time.Second {
			t.Errorf("closed after %v, want 13s", d)
		}
		if len(warnings) != 1 || !errors.Is(warnings[0], context.Canceled) {
			t.Errorf("warnings: %v", warnings)
		}
	})
}

func TestAServerThatNeverAnswersDoesNotHoldBackTheNextPageForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		s.took = time.Hour
		p := NewPublisher(t.Context(), s)
		p.Publish(titled("a"))
		time.Sleep(time.Second)
		p.Publish(titled("b"))
		time.Sleep(35 * time.Second)
		s.expect(t, "a@0", "b@32")
		p.Close(within(t, time.Second))
	})
}

func TestACancelledRunStillWritesItsLastPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newSurface()
		p := NewPublisher(ctx, s)
		p.Publish(titled("running"))
		synctest.Wait()
		cancel()
		p.Publish(Page{Title: "rolled back", State: Cancelled, Final: true})
		noWarnings(t, p.Close(within(t, time.Second)))
		s.expect(t, "running@0", "rolled back@0")
	})
}

func TestADisabledSurfaceWarnsOnceAndIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		s.answer = func(int, Page) error {
			return &DisabledError{Surface: "check run", Need: "the permission `checks: write`"}
		}
		p := NewPublisher(t.Context(), s)
		for i := range 5 {
			p.Publish(titled(fmt.Sprint(i)))
			time.Sleep(time.Minute)
		}
		warnings := p.Close(within(t, time.Second))
		s.expect(t, "0@0")
		if len(warnings) != 1 || warnings[0].Error() != "no check run is shown: it needs the permission `checks: write`" {
			t.Errorf("warnings: %v", warnings)
		}
	})
}

func TestARefusedPageIsNotTriedAgainButTheNextOneIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		s.answer = func(n int, _ Page) error {
			if n == 1 || n == 3 {
				return fmt.Errorf("update: %w", httpx.ErrPermanent)
			}
			return nil
		}
		p := NewPublisher(t.Context(), s)
		p.Publish(titled("bad"))
		time.Sleep(time.Hour)
		p.Publish(titled("good"))
		time.Sleep(time.Hour)
		p.Publish(titled("bad again"))
		time.Sleep(time.Hour)
		warnings := p.Close(within(t, time.Second))
		s.expect(t, "bad@0", "good@3600", "bad again@7200")
		if len(warnings) != 1 || warnings[0].Error() != "the check run may show an old state: update: permanent" {
			t.Errorf("warnings: %v", warnings)
		}
	})
}

func TestAFailureIsTriedAgainEverMoreSlowlyWithTheNewestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		s.answer = func(n int, _ Page) error {
			if n < 5 {
				return httpx.ErrTransient
			}
			return nil
		}
		p := NewPublisher(t.Context(), s)
		p.Publish(titled("a"))
		time.Sleep(7 * time.Second)
		p.Publish(titled("b"))
		time.Sleep(10 * time.Minute)
		noWarnings(t, p.Close(within(t, time.Second)))
		s.expect(t, "a@0", "a@2", "a@6", "b@14", "b@30")
	})
}

func TestALimitIsObeyedEvenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		until := time.Now().Add(90 * time.Second)
		s.answer = func(n int, _ Page) error {
			if n == 1 {
				return &LimitError{Until: until, Err: errors.New("slow down")}
			}
			return nil
		}
		p := NewPublisher(t.Context(), s)
		p.Publish(titled("a"))
		synctest.Wait()
		p.Publish(titled("b"))
		noWarnings(t, p.Close(within(t, 2*time.Minute)))
		s.expect(t, "a@0", "b@90")
	})
}

func TestCloseDoesNotWaitForALimitThatEndsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSurface()
		s.answer = func(int, Page) error {
			return &LimitError{Until: time.Now().Add(time.Hour), Err: errors.New("slow down")}
		}
		p := NewPublisher(t.Context(), s)
		p.Publish(titled("a"))
		synctest.Wait()
		warnings := p.Close(within(t, 5*time.Second))
		s.expect(t, "a@0")
		if len(warnings) != 1 || warnings[0].Error() != "the check run could not be written: rate limit: slow down" {
			t.Errorf("warnings: %v", warnings)
		}
	})
}

func TestAPublisherWithoutPagesOrSurfacesCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noWarnings(t, NewPublisher(t.Context()).Close(within(t, time.Second)))
		s := newSurface()
		noWarnings(t, NewPublisher(t.Context(), s).Close(within(t, time.Second)))
		s.expect(t)
	})
}
