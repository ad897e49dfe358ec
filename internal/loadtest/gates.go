package loadtest

import (
	"context"
	"sync"
)

// Gate names a gate of a canary.
type Gate struct {
	Namespace, Name string
	Rollback        bool // open asks for a rollback, instead of letting the rollout go on
}

// Gates keep which gates are open. A gate that nobody has opened is closed.
type Gates interface {
	Get(ctx context.Context, g Gate) (open bool, err error)
	Set(ctx context.Context, g Gate, open bool) error
}

// Memory keeps gates until the process ends. The zero value is ready to use; it is safe for concurrent use.
type Memory struct {
	mu   sync.Mutex
	open map[Gate]bool
}

// Get reports whether a gate is open.
func (m *Memory) Get(_ context.Context, g Gate) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open[g], nil
}

// Set opens or closes a gate.
func (m *Memory) Set(_ context.Context, g Gate, open bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !open {
		delete(m.open, g) // closed is what it is without an entry
		return nil
	}
	if m.open == nil {
		m.open = map[Gate]bool{}
	}
	m.open[g] = true
	return nil
}
