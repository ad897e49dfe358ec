package approval

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// sampleLog has a decision of every sort.
func sampleLog(g Gate, p Policy) Log {
	var l Log
	for i, verb := range []Verb{Approve, Reject, Pause, Resume, Abort} {
		e := says(g, int64(i+1), bob, verb)
		e.Live.Teams = []string{"b/c", "A/b"}
		e.Actor.Login = "bad\xffutf8<&>"
		e.Command.Reason = "why"
		e.CreatedAt = e.CreatedAt.In(time.FixedZone("CEST", 7200))
		l = Reduce(l, g, p, e)
	}
	gone := says(g, 1, bob, Approve)
	gone.Deleted = true
	return Reduce(l, g, p, gone)
}

func TestALogSurvivesATripThroughJSON(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	l := sampleLog(sampleGate(p), p)
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var back Log
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if err := Verify(back); err != nil || !reflect.DeepEqual(back, l) || len(l.Decisions) != 6 {
		t.Errorf("%v\n%+v\n%+v", err, back, l)
	}
}

func TestAChangedLogIsFoundOutAndOpensNothing(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	approved := func() Log {
		l := Reduce(Log{}, g, p, says(g, 1, visitor, Approve))
		l = Reduce(l, g, p, says(g, 2, alice, Approve))
		return Reduce(l, g, p, says(g, 3, visitor, Reject))
	}
	now := opened.Add(30 * time.Minute)
	if err := Verify(approved()); err != nil || !Judge(g, p, approved(), now).Open {
		t.Fatal("the sample does not open", err)
	}
	for name, change := range map[string]func(*Log){
		"the last is cut off":   func(l *Log) { l.Decisions = l.Decisions[:2] },
		"the first is cut off":  func(l *Log) { l.Decisions = l.Decisions[1:] },
		"one is taken out":      func(l *Log) { l.Decisions = append(l.Decisions[:1:1], l.Decisions[2:]...) },
		"two change places":     func(l *Log) { l.Decisions[0], l.Decisions[1] = l.Decisions[1], l.Decisions[0] },
		"one is repeated":       func(l *Log) { l.Decisions = append(l.Decisions, l.Decisions[1]) },
		"a refusal is changed":  func(l *Log) { l.Decisions[0].Counted, l.Decisions[0].Reason = true, Counted },
		"a login is changed":    func(l *Log) { l.Decisions[2].Actor.Login = "x" },
		"a moment is changed":   func(l *Log) { l.Decisions[1].CreatedAt = l.Decisions[1].CreatedAt.Add(1) },
		"the head is gone":      func(l *Log) { l.Head = "" },
		"the head is another's": func(l *Log) { l.Head = l.Decisions[2].Prev },
	} {
		l := approved()
		change(&l)
		if err := Verify(l); err == nil {
			t.Errorf("%s: passes", name)
		}
		if v := Judge(g, p, l, now); v.Open {
			t.Errorf("%s: opens", name)
		}
	}
}

func TestAHeadKeptElsewhereShowsThatALogWasCutOff(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	short := Reduce(Log{}, g, p, says(g, 1, alice, Approve))
	long := Reduce(short, g, p, says(g, 2, bob, Reject))
	for name, tc := range map[string]struct {
		log  Log
		head string
		want bool
	}{
		"the same": {long, long.Head, true}, "grown": {long, short.Head, true}, "from nothing": {long, "", true},
		"cut off": {short, long.Head, false}, "emptied": {Log{}, short.Head, false},
	} {
		if got := tc.log.Extends(tc.head); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(short.Decisions) != 1 || Verify(short) != nil {
		t.Error("reducing changed the log that it started from")
	}
	// Two logs that grow from one must not write into each other.
	other := Reduce(short, g, p, says(g, 3, carol, Approve))
	if long.Decisions[1].Verb != Reject || other.Decisions[1].Verb != Approve {
		t.Error("two logs share their memory")
	}
}

func TestChatterIsNotRecorded(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	for _, verb := range []Verb{"", Status, Help} {
		if l := Reduce(Log{}, g, p, says(g, 1, alice, verb)); len(l.Decisions) != 0 {
			t.Errorf("%q: %+v", verb, l)
		}
	}
	old := says(g, 1, alice, "")
	old.Edited, old.CreatedAt = true, g.Started
	if l := Reduce(Log{}, g, p, old); len(l.Decisions) != 0 {
		t.Errorf("an edited comment from before the rollout: %+v", l)
	}
}

func TestTargetsPrintAndParse(t *testing.T) {
	t.Parallel()
	g := sampleGate(samplePolicy())
	got, err := ParseTarget(g.Target().String())
	if err != nil || got != g.Target() || got.Rollout != "7q2kzm" || got.Gate != 2 || len(got.Nonce) != 8 {
		t.Errorf("got %+v, %v", got, err)
	}
	if (Target{}).String() != "" {
		t.Error("the zero target prints something")
	}
	for _, text := range []string{"", "-", "a-1", "a-1-b-c", "a-0-mfrggzdf", "a--1-mfrggzdf", "a-01-mfrggzdf", "a-+1-mfrggzdf", "a-1-mfrggzd1",
		"a-1-mfrggzd", "a-1-mfrggzdfa", "-1-mfrggzdf", "toolong-1-mfrggzdf", "a-9999999-mfrggzdf", "a-1-mfrggzd\u0430", "a_-1-mfrggzdf"} {
		if got, err := ParseTarget(text); err == nil || got != (Target{}) {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestTheNonceChangesWithEveryPartOfTheBinding(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	old := sampleBinding()
	nonces := map[string]string{Bind(key, old): "the binding", Bind([]byte("other"), old): "another key"}
	if len(nonces) != 2 || Bind(nil, old) != "" || old.VoidedBy(old) != "" {
		t.Fatal("the key does not matter, or the binding voids itself")
	}
	for name, tc := range map[string]struct {
		change func(*Binding)
		want   Void
	}{
		"rollout": {func(b *Binding) { b.Rollout += "x" }, NewerRollout}, "gate": {func(b *Binding) { b.Gate++ }, NewerRollout},
		"repository": {func(b *Binding) { b.Repository++ }, NewerRollout}, "sha": {func(b *Binding) { b.SHA += "x" }, NewCommit},
		"digest": {func(b *Binding) { b.Digest += "x" }, NewImage}, "spec": {func(b *Binding) { b.SpecHash += "x" }, ChangedCanary},
		"metrics": {func(b *Binding) { b.Metrics += "x" }, FailedAnalysis}, "epoch": {func(b *Binding) { b.Epoch++ }, OtherRun},
		"a letter moves to the next field": {func(b *Binding) { b.SHA, b.Digest = "c0ffees", "ha256:1" }, NewCommit},
	} {
		b := old
		tc.change(&b)
		if other, ok := nonces[Bind(key, b)]; ok {
			t.Errorf("%s: the nonce of %s", name, other)
		}
		nonces[Bind(key, b)] = name
		if got := old.VoidedBy(b); got != tc.want {
			t.Errorf("%s: voided by %q", name, got)
		}
	}
}

func TestShortTakesTheEndOfAnID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"01JTCANARY7Q2KZM": "7q2kzm", "run/12-a": "run12a", "ab": "ab", "": "", "ü-é": ""} {
		if got := Short(id); got != want {
			t.Errorf("%q: %q", id, got)
		}
	}
}
