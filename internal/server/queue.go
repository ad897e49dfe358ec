package server

import (
	"container/heap"
	"maps"
	"sync"
	"time"
)

// How long a change waits after looks that failed: doubling from the first to the longest.
const (
	firstRetry   = time.Second
	longestRetry = 15 * time.Minute
)

// entry is one change that waits, or is looked at.
type entry struct {
	Pending
	due      time.Time
	order    uint64 // of those that are due at the same time
	failures int
	looking  bool // and so not in the heap
	seen     uint64
	index    int
}

// queue holds one entry for each change, however many deliveries it has. Nothing waits in it and it has no clock.
type queue struct {
	mu      sync.Mutex
	limit   int
	order   uint64
	entries map[string]*entry
	due     dueHeap
}

func newQueue(limit int) *queue { return &queue{limit: limit, entries: map[string]*entry{}} }

// room tells whether a subject finds room: one that waits already takes none.
func (q *queue) room(s Subject) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.entries[s.key()] != nil || len(q.entries) < q.limit
}

// push adds what is pending, and makes it due now: a new delivery ends the wait after a failure. One that is being
// looked at becomes due again when the look ends. It tells whether there was room.
func (q *queue) push(p Pending, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := p.Subject.key()
	e := q.entries[key]
	if e == nil {
		if len(q.entries) >= q.limit {
			return false
		}
		e = &entry{Pending: p}
		q.entries[key] = e
		q.enter(e, now)
		return true
	}
	if p.Mark <= e.Mark {
		return true
	}
	e.Mark, e.Subject = p.Mark, p.Subject // the latest path
	if !e.looking && now.Before(e.due) {
		heap.Remove(&q.due, e.index)
		e.failures = 0
		q.enter(e, now)
	}
	return true
}

// adopt adds what the Store has pending and this process does not know: from before a restart, or of a replica that
// died. It tells whether there was room.
func (q *queue) adopt(p Pending, now time.Time) bool {
	q.mu.Lock()
	_, known := q.entries[p.Subject.key()]
	q.mu.Unlock()
	return known || q.push(p, now)
}

func (q *queue) enter(e *entry, due time.Time) {
	q.order++
	e.due, e.order = due, q.order
	heap.Push(&q.due, e)
}

// next takes the change that is due first. When none is due it returns how long until one is, and 0 when nothing waits.
func (q *queue) next(now time.Time) (p Pending, ok bool, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.due) == 0 {
		return Pending{}, false, 0
	}
	e := q.due[0]
	if wait := e.due.Sub(now); wait > 0 {
		return Pending{}, false, wait
	}
	heap.Pop(&q.due)
	e.looking, e.seen = true, e.Mark
	return e.Pending, true, 0
}

// finish ends the look at what next returned. A failed one waits; a good one is forgotten, unless a delivery came
// meanwhile. It returns how long the change waits.
func (q *queue) finish(p Pending, failed bool, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := p.Subject.key()
	e := q.entries[key]
	if e == nil || !e.looking {
		return 0
	}
	e.looking = false
	switch {
	case failed && e.Mark == e.seen:
		wait := min(firstRetry<<min(e.failures, 20), longestRetry)
		e.failures++
		q.enter(e, now.Add(wait))
		return wait
	case failed || e.Mark > e.seen:
		e.failures = 0
		if !failed {
			e.Since = now // about: the deliveries before the look have had theirs
		}
		q.enter(e, now)
	default:
		delete(q.entries, key)
	}
	return 0
}

// drop forgets a change that waits.
func (q *queue) drop(p Pending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := p.Subject.key()
	if e := q.entries[key]; e != nil && !e.looking && e.Mark <= p.Mark {
		heap.Remove(&q.due, e.index)
		delete(q.entries, key)
	}
}

// length is the number of changes that wait or are looked at, and oldest since when the oldest does.
func (q *queue) length() (n int, oldest time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := range maps.Values(q.entries) {
		if oldest.IsZero() || e.Since.Before(oldest) {
			oldest = e.Since
		}
	}
	return len(q.entries), oldest
}

// dueHeap orders by when, and then first come first served.
type dueHeap []*entry

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].order < h[j].order
}
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
