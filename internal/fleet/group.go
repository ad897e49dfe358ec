package fleet

import (
	"slices"
	"sync"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// namedInWait is how many canaries are named to those that wait for them. In a larger group the words would change all
// the time.
const namedInWait = 3

// Group is canaries that are promoted together or not at all: its gate opens when every member waits at it or has nothing
// to do, and stays open. When a member does not pass before that, the others roll back.
//
//	member:  away ──▶ at the gate ⇄ judging (a window goes on while it waits) ──▶ open ──▶ promoted
//	           └──────────┴─────────────┴──▶ ended badly: the group is broken, all roll back
type Group struct {
	mu      sync.Mutex
	members []*Member
	open    bool
	broken  string // who did not pass, in words; empty while all may
}

// Member is one canary's place in its group.
type Member struct {
	group *Group
	name  string
	woken chan struct{} // holds one token when there is something to look at

	// Under the lock of the group.
	begun   bool // the revision is under analysis
	atGate  bool // its last window passed, and the decision to wait is saved
	judging bool // its checks are being asked: what it decides next is not known
	over    bool
}

// NewGroup makes a group of canaries with these names.
func NewGroup(names []string) *Group {
	g := &Group{}
	for _, name := range names {
		g.members = append(g.members, &Member{group: g, name: name, woken: make(chan struct{}, 1)})
	}
	return g
}

// Member returns the place of a canary.
func (g *Group) Member(i int) *Member { return g.members[i] }

// Ended says how a member's run has ended. Running is a run that could not finish.
func (m *Member) Ended(o rollout.Outcome) {
	m.change(func() {
		m.over = true
		if !passed(o) && !m.group.open && m.group.broken == "" {
			m.group.broken = m.name + " " + ending(o)
			m.group.wake()
		}
	})
}

// Broken says in words which member did not pass, or nothing. Once the gate has opened nothing breaks the group.
func (m *Member) Broken() string {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	return m.group.broken
}

// passed reports whether a run that ended so does not keep the others from being promoted.
func passed(o rollout.Outcome) bool {
	switch o {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged:
		return true
	case rollout.Running, rollout.RolledBack, rollout.Halted, rollout.Suspended, rollout.Superseded, rollout.Cancelled,
		rollout.Gated, rollout.Uninstalled:
	}
	return false
}

func ending(o rollout.Outcome) string {
	switch o {
	case rollout.RolledBack:
		return "was rolled back"
	case rollout.Halted:
		return "was halted"
	case rollout.Suspended:
		return "is suspended"
	case rollout.Superseded:
		return "was taken over by another run"
	case rollout.Cancelled:
		return "was cancelled"
	case rollout.Gated:
		return "waits at a gate that stayed closed"
	case rollout.Uninstalled:
		return "was uninstalled"
	case rollout.Running, rollout.Promoted, rollout.Initialised, rollout.Unchanged:
	}
	return "could not finish"
}

// saved takes note of what the member has decided.
func (m *Member) saved(st *rollout.Status) {
	m.change(func() {
		m.atGate = st.Gate == rollout.GroupGate
		m.begun = st.Phase == rollout.Progressing || st.Phase == rollout.WaitingPromotion || st.Phase == rollout.Waiting
	})
}

func (m *Member) judges(yes bool) { m.change(func() { m.judging = yes }) }

// change changes the member under the lock, and opens the gate when that was the last that it waited for.
func (m *Member) change(f func()) {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	if !g.open && g.broken == "" && len(g.missing()) == 0 {
		g.open = true
		g.wake()
	}
}

// missing names the members that are not at the gate. The lock is held.
func (g *Group) missing() []string {
	var names []string
	for _, m := range g.members {
		if !m.over && (!m.atGate || m.judging) {
			names = append(names, m.name)
		}
	}
	return names
}

// wake makes every member look again. The lock is held.
func (g *Group) wake() {
	for _, m := range g.members {
		select {
		case m.woken <- struct{}{}:
		default:
		}
	}
}

// answer is what the gate says to a member.
func (m *Member) answer() rollout.HookAnswer {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	a := rollout.HookAnswer{Hook: rollout.GroupGate, Verdict: rollout.Fail}
	missing := slices.DeleteFunc(g.missing(), func(name string) bool { return name == m.name })
	switch {
	case g.open:
		a.Verdict = rollout.Pass
	case g.broken != "":
		a.Message = g.broken
	case len(missing) > 0 && len(missing) <= namedInWait:
		a.Message = "waiting for " + List(missing, namedInWait) + " to pass"
	default:
		a.Message = "waiting for the other canaries of the group to pass"
	}
	return a
}

// stop says why the member must roll back, or nothing.
func (m *Member) stop() string {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if m.group.broken == "" || !m.begun {
		return ""
	}
	return m.group.broken + ", and the group is promoted together or not at all"
}
