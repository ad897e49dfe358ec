package approval

import (
	"testing"
	"time"
)

func operated(g Gate, verb Verb, after time.Duration) Event {
	return EventOf(Notice{Gate: g}, Operator{Name: "jane", Verb: verb, At: opened.Add(after)})
}

func TestOperatorsApproveOnlyWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	for name, allowed := range map[string]bool{"allowed": true, "not allowed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := samplePolicy()
			p.Operators = allowed
			g := sampleGate(p)
			e := operated(g, Approve, time.Minute)
			l := Reduce(Log{}, g, p, e)
			if v := Judge(g, p, l, opened.Add(2*time.Minute)); v.Open != allowed {
				t.Errorf("open is %v: %v", v.Open, v.Missing)
			}
			d, found := l.LastOf(e)
			if !found || d.Counted != allowed || d.Actor.Login != "jane" || d.Via != Direct {
				t.Errorf("the decision is %+v", d)
			}
			if again := Reduce(l, g, p, e); len(again.Decisions) != 1 {
				t.Errorf("said once and entered %d times", len(again.Decisions))
			}
		})
	}
}

func TestOperatorCountsAsOnePerson(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	p.Operators, p.Groups = true, []Group{{Name: "sre", MinRole: RoleWrite, Count: 1}, {Name: "qa", MinRole: RoleWrite, Count: 1}}
	g := sampleGate(p)
	l := Reduce(Log{}, g, p, operated(g, Approve, time.Minute))
	l = Reduce(l, g, p, operated(g, Approve, 2*time.Minute))
	if v := Judge(g, p, l, opened.Add(3*time.Minute)); v.Open {
		t.Error("one operator filled two groups")
	}
	l = Reduce(l, g, p, says(g, 4, alice, Approve))
	if v := Judge(g, p, l, opened.Add(5*time.Minute)); !v.Open {
		t.Errorf("an operator and a commenter do not open it: %v", v.Missing)
	}
}

func TestBrakesOfOperatorsAlwaysCount(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	p.Brakes.MinRole = RoleAdmin
	g := sampleGate(p)
	approved := Reduce(Log{}, g, p, says(g, 1, alice, Approve))
	for verb, stopped := range map[Verb]func(Verdict) bool{
		Abort: func(v Verdict) bool { return v.Aborted }, Reject: func(v Verdict) bool { return v.Rejected }, Pause: func(v Verdict) bool { return v.Paused },
	} {
		v := Judge(g, p, Reduce(approved, g, p, operated(g, verb, 2*time.Minute)), opened.Add(3*time.Minute))
		if v.Open || !stopped(v) {
			t.Errorf("%s: %+v", verb, v)
		}
	}
	l := Reduce(approved, g, p, operated(g, Pause, 2*time.Minute))
	l = Reduce(l, g, p, operated(g, Resume, 3*time.Minute))
	if v := Judge(g, p, l, opened.Add(4*time.Minute)); !v.Paused {
		t.Error("an operator whom the policy does not allow let the rollout go on")
	}
}

func TestOperatorSpeaksOfThisGateAlone(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	p.Operators = true
	g := sampleGate(p)
	other := g
	other.Number++
	other.Nonce = Bind([]byte("other"), sampleBinding())
	if v := Judge(g, p, Reduce(Log{}, g, p, operated(other, Approve, time.Minute)), opened.Add(2*time.Minute)); v.Open {
		t.Error("what was said of another gate opened this one")
	}
	elsewhere := operated(g, Abort, time.Minute)
	elsewhere.Change++
	if v := Judge(g, p, Reduce(Log{}, g, p, elsewhere), opened.Add(2*time.Minute)); v.Aborted {
		t.Error("what was said of another change aborted this rollout")
	}
	closed := g
	closed.OpenedAt = time.Time{}
	if l := Reduce(Log{}, closed, p, operated(closed, Approve, time.Minute)); len(l.Decisions) > 0 && l.Decisions[0].Counted {
		t.Error("an approval counts while no gate waits")
	}
}

func TestOperatorIsNobodyOfTheForge(t *testing.T) {
	t.Parallel()
	seen := map[int64]bool{}
	for _, name := range []string{"jane", "jan", "system:serviceaccount:shop:ci", ""} {
		e := EventOf(Notice{}, Operator{Name: name, Verb: Abort, At: opened})
		if e.Actor.ID < operatorBase || e.ID < operatorBase || seen[e.Actor.ID] {
			t.Errorf("%q is %d and said %d", name, e.Actor.ID, e.ID)
		}
		seen[e.Actor.ID] = true
	}
}
