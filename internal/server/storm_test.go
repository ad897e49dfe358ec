package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

const (
	stormDeliveries = 10_000 // half of them twice the same
	stormChanges    = 300
	stormLives      = 6 // of the server, which is killed between them
)

// mortal is a Store and a Looker of a process that can be killed: after that nothing that it does has an effect.
type mortal struct {
	store Store
	storm *storm
	mu    sync.RWMutex
	dead  bool
}

var errDead = errors.New("killed")

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// act does something whole, or not at all when the process is dead.
func (m *mortal) act(do func() error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.dead {
		return errDead
	}
	return do()
}

func (m *mortal) Commit(ctx context.Context, b Batch) (r []Receipt, err error) {
	err = m.act(func() error { r, err = m.store.Commit(ctx, b); return err })
	return r, err
}

func (m *mortal) Pending(ctx context.Context) (p []Pending, err error) {
	err = m.act(func() error { p, err = m.store.Pending(ctx); return err })
	return p, err
}

// Look reads the truth when it begins, and writes what it saw when it ends; one in ten fails.
func (m *mortal) Look(_ context.Context, s Subject) error {
	saw, tries := m.storm.truth[s.Change].Load(), m.storm.looks.Add(1)
	return m.act(func() error {
		if tries%10 == 0 {
			return errors.New("the forge is away")
		}
		m.storm.seen(s, saw)
		return nil
	})
}

// storm is the forge: what is true of each change, and what the looks have seen of it.
type storm struct {
	truth [stormChanges + 1]atomic.Int64 // grows with each event, before its delivery is sent
	looks atomic.Int64
	sent  atomic.Int64
	mu    sync.Mutex
	last  map[Subject]int64
}

func (s *storm) seen(subject Subject, truth int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[subject] = max(s.last[subject], truth)
}

// stormEvent is one delivery. The first of its kind makes something true; the other is sent again.
type stormEvent struct {
	change int
	id     string
	once   *sync.Once
}

func stormEvents(random *rand.Rand) []stormEvent {
	events := make([]stormEvent, 0, stormDeliveries)
	for i := range stormDeliveries / 2 {
		e := stormEvent{change: 1 + random.IntN(stormChanges), id: fmt.Sprint("d-", i), once: &sync.Once{}}
		events = append(events, e, e)
	}
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// deliver sends an event, and tells whether it was accepted: whoever is not told so sends again.
func (s *storm) deliver(to *Server, e stormEvent) bool {
	e.once.Do(func() { s.truth[e.change].Add(1) })
	s.sent.Add(1)
	if e.change%2 == 0 {
		return send(to, fromGitLab(noteHook, e.id, note(e.change, approve))).Code/100 == 2
	}
	return send(to, fromGitHub(issueComment, e.id, comment(e.change, approve))).Code/100 == 2
}

// TestAStorm sends 10 000 deliveries, half of them doubles, in any order, to a server that is killed and started again
// five times meanwhile. Nothing may be lost: at the end, each change has had a look that began after its last event.
func TestAStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that nothing waits for the second try of a look
		s := &storm{last: map[Subject]int64{}}
		path, left := filepath.Join(t.TempDir(), "deliveries.db"), stormEvents(rand.New(rand.NewPCG(1, 2)))
		for life := range stormLives {
			left = s.live(t, path, left, life == stormLives-1)
			t.Logf("life %d: %d still to send, %d sent, %d looks", life, len(left), s.sent.Load(), s.looks.Load())
		}
		s.check(t, path)
	})
}

// live is one life of the server. It returns the deliveries that were not accepted in it.
func (s *storm) live(t *testing.T, path string, events []stormEvent, last bool) []stormEvent {
	t.Helper()
	file := openFile(t, path)
	m := &mortal{store: file, storm: s}
	config := sampleConfig()
	config.Store, config.Looker, config.Workers, config.Listener = m, m, 8, newPipes()
	server := newServer(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	enough := stormDeliveries / stormLives
	if last {
		enough = len(events)
	}
	left := s.send(server, events, enough, m)
	if last {
		s.settle(t, server)
	} else {
		m.kill()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return left
}

// send delivers until so many were accepted, and returns the deliveries that were not. The process is killed in the
// middle of the last ones.
func (s *storm) send(server *Server, events []stormEvent, enough int, m *mortal) (left []stormEvent) {
	var mu sync.Mutex
	var senders sync.WaitGroup
	next, accepted := make(chan stormEvent), 0
	for range 32 {
		senders.Go(func() {
			for e := range next {
				ok := s.deliver(server, e)
				mu.Lock()
				if !ok {
					left = append(left, e)
				} else if accepted++; accepted == enough && len(events) > enough {
					go m.kill()
				}
				mu.Unlock()
			}
		})
	}
	for i, e := range events {
		mu.Lock()
		stop := accepted >= enough
		mu.Unlock()
		if stop {
			mu.Lock()
			left = append(left, events[i:]...)
			mu.Unlock()
			break
		}
		next <- e
	}
	close(next)
	senders.Wait()
	return left
}

// settle waits until nothing is pending.
func (s *storm) settle(t *testing.T, server *Server) {
	t.Helper()
	for range 100 { // the second tries are within seconds
		synctest.Wait()
		if n, _ := server.queue.length(); n == 0 && server.loaded.Load() {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("the queue does not become empty")
}

func (s *storm) check(t *testing.T, path string) {
	t.Helper()
	file := openFile(t, path)
	defer file.Close()
	if p, err := file.Pending(t.Context()); err != nil || len(p) != 0 {
		t.Errorf("pending at the end: %v %v", p, err)
	}
	events := int64(0)
	for change := 1; change <= stormChanges; change++ {
		platform := approval.GitHub
		if change%2 == 0 {
			platform = approval.GitLab
		}
		truth := s.truth[change].Load()
		events += truth
		if got := s.last[subject(platform, int64(change))]; got != truth {
			t.Errorf("change %d: the last look saw event %d of %d", change, got, truth)
		}
	}
	if events != stormDeliveries/2 || s.sent.Load() < stormDeliveries {
		t.Errorf("%d events, %d sent", events, s.sent.Load())
	}
}
