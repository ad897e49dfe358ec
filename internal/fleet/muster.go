package fleet

import (
	"context"
	"errors"
	"sync"
)

// ErrNotStarted is why a canary of the first ones did not start: the input of another is bad, and bad input touches
// nothing.
var ErrNotStarted = errors.New("not started, since the run's input has problems")

// Muster is where the canaries that start first wait for each other, when everything that can be checked was checked and
// nothing was touched yet.
type Muster struct {
	mu      sync.Mutex
	missing map[int]bool
	refused bool
	all     chan struct{} // closed when nobody is missing
}

// NewMuster expects these canaries. Others pass through it.
func NewMuster(first []int) *Muster {
	m := &Muster{missing: map[int]bool{}, all: make(chan struct{})}
	for _, i := range first {
		m.missing[i] = true
	}
	if len(first) == 0 {
		close(m.all)
	}
	return m
}

// Ready waits until every canary is ready or has gone away. The error says why nothing may be touched.
func (m *Muster) Ready(ctx context.Context, i int) error {
	m.arrive(i, false)
	select {
	case <-m.all:
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused {
		return ErrNotStarted
	}
	return nil
}

// Away says that a canary will not come, or has come and gone on. When it went away because of bad input before all were
// there, nobody starts.
func (m *Muster) Away(i int, badInput bool) { m.arrive(i, badInput) }

func (m *Muster) arrive(i int, refuse bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.missing[i] {
		return
	}
	m.refused = m.refused || refuse
	if delete(m.missing, i); len(m.missing) == 0 {
		close(m.all)
	}
}
