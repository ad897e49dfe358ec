package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
)

// deskPause is how long a rollout waits for another look when the forge or the cluster did not answer.
const deskPause = 5 * time.Second

// Waiting knows the rollouts at whose gates people approve.
type Waiting interface {
	All() []approval.Notice
	For(of approval.Source) []approval.Notice
	Changed() <-chan struct{} // holds one token when something is new
}

// DeskConfig is what a Desk is made of.
type DeskConfig struct {
	Waiting Waiting
	Ledger  func(approval.Notice) Ledger            // of the decisions about a rollout
	Change  func(approval.Notice) (Forum, error)    // reads the change that a rollout is about, as its policy wants it
	Answer  func(approval.Notice, Forum) *Answering // how questions are answered; nil for a reaction alone
	Clock   clock.Clock
	Warn    func(error) // told what goes wrong beside a look; may be nil
}

// Desk is where a server makes decisions of comments: it looks at a change for every rollout that waits for people on it.
// It keeps nothing that it could not find out again, so that several desks may work beside each other.
type Desk struct {
	DeskConfig

	mu      sync.Mutex
	changes map[approval.Source]*matter
}

// matter is a change on which people approve.
type matter struct {
	looking sync.Mutex        // one look at a time: the second finds nothing new and costs nothing
	tallies map[string]*Tally // by rollout; each remembers what the forge has said
}

// NewDesk returns a desk. It makes no request.
func NewDesk(c DeskConfig) *Desk {
	return &Desk{DeskConfig: c, changes: map[approval.Source]*matter{}}
}

// Look reads what people say on a change, and enters it for every rollout that waits for them. A change that nobody waits
// on costs nothing.
func (d *Desk) Look(ctx context.Context, of approval.Source) error {
	var notices []approval.Notice
	for _, n := range d.Waiting.For(of) {
		if !d.over(&n) {
			notices = append(notices, n)
		}
	}
	if len(notices) == 0 {
		d.forget(of)
		return nil
	}
	m := d.matter(of)
	m.looking.Lock()
	defer m.looking.Unlock()
	m.keep(notices)
	var problems []error
	for _, n := range notices {
		t, err := m.tally(d, n)
		if err == nil {
			err = d.take(ctx, t, n)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s/%s: %w", n.Namespace, n.Canary, err))
		}
	}
	return errors.Join(problems...)
}

// over reports whether a rollout listens to nobody any more. Flagger does not say when: it no longer asks.
func (d *Desk) over(n *approval.Notice) bool {
	return n.Over || n.Flagger && !d.Clock.Now().Before(n.Gate.ExpiresAt.Add(skew))
}

// take enters what people say. Their questions come after it, so that no gate waits for an answer, and so does the comment
// by which a gate of Flagger's is shown, which has no run that would show it.
func (d *Desk) take(ctx context.Context, t *Tally, n approval.Notice) error {
	g, log, err := t.Take(ctx, n.Gate, n.Policy)
	if err != nil {
		return err
	}
	if n.Flagger && t.Answering != nil && !n.Gate.OpenedAt.IsZero() {
		n.Gate = g
		if err := t.Show(ctx, n, log); err != nil {
			return fmt.Errorf("show the gate %s: %w", n.Gate.Name, err)
		}
	}
	return t.Answer(ctx, g)
}

func (d *Desk) matter(of approval.Source) *matter {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.changes[of]
	if m == nil {
		m = &matter{tallies: map[string]*Tally{}}
		d.changes[of] = m
	}
	return m
}

func (d *Desk) forget(of approval.Source) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.changes, of)
}

// tallied tells rollouts on one change apart.
func tallied(n approval.Notice) string {
	return n.Namespace + "/" + n.Canary + "/" + n.Gate.Rollout + "/" + n.Path
}

// keep forgets the rollouts that wait no more: a change that is rolled out again and again must not gather them.
func (m *matter) keep(notices []approval.Notice) {
	for key := range m.tallies {
		if !slices.ContainsFunc(notices, func(n approval.Notice) bool { return tallied(n) == key }) {
			delete(m.tallies, key)
		}
	}
}

func (m *matter) tally(d *Desk, n approval.Notice) (*Tally, error) {
	key := tallied(n)
	t := m.tallies[key]
	if t == nil {
		change, err := d.Change(n)
		if err != nil {
			return nil, err
		}
		t = &Tally{Change: change, Clock: d.Clock, Prefix: n.Prefix, Via: approval.Webhook, Warn: d.Warn}
		if d.Answer != nil {
			t.Answering = d.Answer(n, change)
		}
		m.tallies[key] = t
	}
	t.Ledger = d.Ledger(n)
	return t, nil
}

// Run looks at the change of every rollout that begins to wait, until ctx ends: whoever has written before the rollout was
// known, or while no server was there, is heard as well.
func (d *Desk) Run(ctx context.Context) {
	seen := map[string]string{} // the gate of each canary that was looked at last
	for {
		pause := 24 * time.Hour // nothing but a new notice, or a webhook, asks for a look
		if d.catchUp(ctx, seen) {
			pause = deskPause
		}
		timer := d.Clock.NewTimer(pause)
		select {
		case <-d.Waiting.Changed():
		case <-timer.C():
		case <-ctx.Done():
		}
		if timer.Stop(); ctx.Err() != nil {
			return
		}
	}
}

// catchUp looks for every gate that is new. It reports whether a look has failed.
func (d *Desk) catchUp(ctx context.Context, seen map[string]string) (again bool) {
	there := map[string]bool{}
	for _, n := range d.Waiting.All() {
		name := n.Namespace + "/" + n.Canary
		if n.Flagger {
			name += "/" + n.Gate.Name // each has a notice of its own
		}
		there[name] = true
		gate := n.Gate.Rollout + " " + n.Gate.Target().String()
		if d.over(&n) || seen[name] == gate || ctx.Err() != nil {
			continue
		}
		if err := d.Look(ctx, n.Gate.Source); err != nil {
			if d.Warn != nil && ctx.Err() == nil {
				d.Warn(fmt.Errorf("read the comments for %w", err))
			}
			again = true
			continue
		}
		seen[name] = gate
	}
	for name := range seen {
		if !there[name] {
			delete(seen, name)
		}
	}
	return again
}
