package forge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

const (
	// spacing is the shortest time between two writes to one object.
	spacing = 2 * time.Second

	// burst writes may follow each other in that time; after them, every further one has to wait for refill. A job's
	// token has 1,000 requests an hour for the whole repository, and other jobs want some of them.
	burst  = 5
	refill = 30 * time.Second

	// firstRetry doubles with every failure, up to lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = time.Minute

	// showTimeout bounds one Show, so that a server that never answers cannot hold back newer pages for long.
	showTimeout = 30 * time.Second
)

// Publisher shows the newest page on every surface, each in its own goroutine, so that a slow one delays neither the
// rollout nor the others. Pages that come faster than they can be written are skipped; the last one never is.
type Publisher struct {
	writers []*writer
	done    sync.WaitGroup
	cancel  context.CancelFunc
}

// NewPublisher starts the goroutines. They outlive ctx, because the last page of a cancelled run must still be written;
// Close ends them, and must be called.
func NewPublisher(ctx context.Context, surfaces ...Surface) *Publisher {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Publisher{cancel: cancel}
	for _, s := range surfaces {
		w := &writer{surface: s, wake: make(chan struct{}, 1), closing: make(chan struct{}), tokens: burst}
		p.writers = append(p.writers, w)
		p.done.Go(func() { w.run(ctx) })
	}
	return p
}

// Publish makes page the newest. It never blocks. After Close it does nothing.
func (p *Publisher) Publish(page Page) {
	for _, w := range p.writers {
		w.put(page)
	}
}

// Close writes the newest page to each surface that does not show it yet, and does so until ctx ends. It returns what
// people should know: one warning for each surface that could not be written, or that may show an old page.
func (p *Publisher) Close(ctx context.Context) []error {
	for _, w := range p.writers {
		w.close()
	}
	ended := make(chan struct{})
	go func() { p.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	p.cancel()
	<-ended
	var warnings []error
	for _, w := range p.writers {
		if err := w.warning(); err != nil {
			warnings = append(warnings, err)
		}
	}
	return warnings
}

// writer writes to one surface.
type writer struct {
	surface Surface
	wake    chan struct{} // has room for one: a page came
	closing chan struct{} // closed by close

	mu     sync.Mutex
	newest *Page
	closed bool

	// Only run touches these, and warning after run has ended.
	shown    *Page
	refused  *Page     // will never be accepted
	last     time.Time // of the last write
	tokens   int       // writes that need not wait for refill
	filled   time.Time // when tokens was last brought up to date
	failures int       // since the last success
	err      error     // of the last Show
}

func (w *writer) put(page Page) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.newest = &page
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.closing)
	}
}

// pending returns the page to write, or nil if the surface shows the newest.
func (w *writer) pending() *Page {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest == nil || (w.shown != nil && *w.newest == *w.shown) {
		return nil
	}
	return w.newest
}

func (w *writer) isClosing() bool {
	select {
	case <-w.closing:
		return true
	default:
		return false
	}
}

// run ends when ctx does, when the last page is written, or when no page can be.
func (w *writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		page := w.pending()
		if page == nil || page == w.refused {
			if !w.await(ctx, page) {
				return
			}
			continue
		}
		if wait := w.spare(*page, time.Now()); wait > 0 && !w.isClosing() {
			w.sleep(ctx, wait)
			continue
		}
		w.show(ctx, *page)
		if !w.learn(ctx, page) {
			return
		}
	}
}

// await waits for a page other than this one. It reports whether one can still come.
func (w *writer) await(ctx context.Context, page *Page) bool {
	if w.isClosing() {
		return w.pending() != page // the last one came while this one was looked at
	}
	select {
	case <-w.wake:
	case <-w.closing:
	case <-ctx.Done():
		return false
	}
	return true
}

// learn draws the conclusions from how page was received. It reports whether there is more to do.
func (w *writer) learn(ctx context.Context, page *Page) bool {
	var disabled *DisabledError
	switch {
	case w.err == nil:
		w.shown, w.failures = page, 0
		return true
	case errors.As(w.err, &disabled):
		return false
	case errors.Is(w.err, httpx.ErrPermanent):
		w.refused = page
		return true
	}
	return w.backOff(ctx)
}

// show writes, and keeps account of it.
func (w *writer) show(ctx context.Context, page Page) {
	now := time.Now()
	w.last = now
	w.tokens = max(0, w.tokens-1)
	ctx, cancel := context.WithTimeout(ctx, showTimeout)
	defer cancel()
	w.err = w.surface.Show(ctx, page)
}

// spare returns how long the page has to wait. A page with another state waits only for the spacing: it is what people
// are waiting for, and there are few.
func (w *writer) spare(page Page, now time.Time) time.Duration {
	if w.last.IsZero() {
		w.filled = now
		return 0
	}
	for w.tokens < burst && now.Sub(w.filled) >= refill {
		w.tokens++
		w.filled = w.filled.Add(refill)
	}
	if w.tokens == burst {
		w.filled = now
	}
	wait := spacing - now.Sub(w.last)
	if w.tokens == 0 && !page.Final && (w.shown == nil || page.State == w.shown.State) {
		wait = max(wait, refill-now.Sub(w.filled))
	}
	return wait
}

// sleep ends after d, when a page comes, or when the last page has come.
func (w *writer) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.wake:
	case <-w.closing:
	case <-ctx.Done():
	}
}

// backOff waits after a failure; a newer page does not end it, because the server is the same. It reports whether
// there is time left.
func (w *writer) backOff(ctx context.Context) bool {
	d := min(lastRetry, firstRetry<<min(w.failures, 10))
	w.failures++
	var limit *LimitError
	if errors.As(w.err, &limit) {
		d = max(d, time.Until(limit.Until))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	closing := w.closing
	if w.isClosing() || limit != nil {
		closing = nil // asking again before the limit ends makes it longer
	}
	select {
	case <-timer.C:
	case <-closing: // what is left of the wait is not worth missing the last page
	case <-ctx.Done():
		return false
	}
	return true
}

// warning says what people should know once all is over.
func (w *writer) warning() error {
	var disabled *DisabledError
	switch {
	case errors.As(w.err, &disabled):
		return disabled
	case w.pending() == nil:
		return nil
	case w.err != nil && w.shown == nil:
		return fmt.Errorf("the %s could not be written: %w", w.surface.Name(), w.err)
	case w.err != nil:
		return fmt.Errorf("the %s may show an old state: %w", w.surface.Name(), w.err)
	}
	return fmt.Errorf("the %s may show an old state: there was no time left to write it", w.surface.Name())
}

// LimitError says that the server wants to be left alone for a while.
type LimitError struct {
	Until time.Time
	Err   error // what the server said
}

func (e *LimitError) Error() string { return "rate limit: " + e.Err.Error() }

// Unwrap makes it a transient error, and nothing else: the 403 inside would be taken for a missing permission.
func (e *LimitError) Unwrap() error { return httpx.ErrTransient }
