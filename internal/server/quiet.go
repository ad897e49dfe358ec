package server

import (
	"sync"
	"time"
)

// quiet keeps a flood of refusals, which anybody can make, from being a flood of log lines: one per second and key.
type quiet struct {
	mu   sync.Mutex
	said map[string]*silence
}

type silence struct {
	since time.Time
	times int
}

// ask returns how often the key came since it was last said, or 0 when it was said within a second.
func (q *quiet) ask(key string, now time.Time) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.said == nil {
		q.said = map[string]*silence{}
	}
	last := q.said[key]
	if last == nil {
		last = &silence{since: now.Add(-time.Hour)}
		q.said[key] = last
	}
	last.times++
	if now.Sub(last.since) < time.Second {
		return 0
	}
	n := last.times
	last.since, last.times = now, 0
	return n
}
