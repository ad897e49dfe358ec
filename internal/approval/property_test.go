package approval

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/race"
)

// simulated is a change that many people comment on while a gate waits, with everything that a forge and a network may do
// to their comments.
type simulated struct {
	gate   Gate
	policy Policy
	events []Event
}

func simulate(r *rand.Rand, comments int) simulated {
	p := samplePolicy()
	p.Groups[0].Count = 1 + r.IntN(2)
	if r.IntN(2) == 0 {
		p.Groups = append(p.Groups, Group{Name: "boss", Users: []int64{alice, carol}, Teams: []string{"a/b"}, Count: 1})
	}
	if r.IntN(4) == 0 {
		p.OnTamper = Hold
	}
	p.NonceOptional, p.Reviews = r.IntN(4) == 0, r.IntN(4) == 0
	s := simulated{policy: p, gate: sampleGate(p)}
	for id := range int64(comments) {
		s.events = append(s.events, comment(r, s.gate, id+1)...)
	}
	return s
}

// comment returns the sights of one comment. Most of them are harmless chatter and refusals.
func comment(r *rand.Rand, g Gate, id int64) []Event {
	people := []int64{alice, bob, carol, author, actor, pusher, visitor, triager, 0}
	verbs := []Verb{"", Status, Approve, Approve, Approve, Approve, Promote, Reject, Pause, Resume, Abort}
	weights := r.IntN(100)
	verb := verbs[r.IntN(len(verbs)-3)]
	if weights < 3 {
		verb = verbs[len(verbs)-3+r.IntN(3)]
	}
	if verb == Reject && r.IntN(4) > 0 {
		verb = Approve
	}
	e := says(g, id, people[r.IntN(len(people))], verb)
	e.BodyHash += string(verb)
	e.CreatedAt = opened.Add(time.Duration(r.IntN(72)-6) * time.Minute)
	e.Observed = e.CreatedAt.Add(time.Duration(r.IntN(3)) * time.Second)
	if r.IntN(5) == 0 {
		e.Live.Teams = []string{"a/b"}
	}
	spoilers := []func(){
		func() { e.Actor.Bot = true }, func() { e.Command.Target.Nonce = "aaaaaaaa" }, func() { e.Command.Target.Gate++ },
		func() { e.Command.Target = Target{} }, func() { e.Repository++ }, func() { e.Change++ }, func() { e.Closed = true },
		func() { e.SHA = "beef" }, func() { e.Live = Permission{} }, func() { e.Live.Role = RoleNone }, func() { e.BodyHash = "" },
		func() { e.Kind, e.Review = Review, ReviewApproved }, func() { e.Kind, e.Review = Review, ReviewChanges },
		func() { e.Command.Bare, e.Command.Target = true, Target{} }, func() { e.Merged, e.SHA = true, "beef" },
	}
	if r.IntN(3) == 0 {
		spoilers[r.IntN(len(spoilers))]()
	}
	return later(r, e)
}

// later returns the sight and what becomes of it: edits, deletions, lost and given permissions.
func later(r *rand.Rand, e Event) []Event {
	sights := []Event{e}
	for r.IntN(3) == 0 {
		next := sights[len(sights)-1]
		next.Observed = next.Observed.Add(time.Minute)
		switch r.IntN(5) {
		case 0:
			next.Edited, next.BodyHash, next.Command = true, "edited", Command{}
		case 1:
			next.Edited, next.BodyHash = true, "edited"
			next.Command.Verb = Approve
		case 2:
			next.Deleted = true
		case 3:
			next.Live = Permission{Known: true, Role: RoleNone}
		case 4:
			next.Live = Permission{Known: r.IntN(2) == 0, Role: RoleWrite}
		}
		sights = append(sights, next)
	}
	return sights
}

// delivered shuffles the events, and repeats and loses some when told to.
func (s simulated) delivered(r *rand.Rand) []Event {
	out := slices.Clone(s.events)
	for range len(out) / 2 {
		e := out[r.IntN(len(out))]
		e.Via = Poll
		out = append(out, e)
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// mayOpen says, straight from the events and without the log, whether the gate may be open: a different person for each
// place of each group, each with a comment that every event shows as eligible and unchanged, and no rejection after.
func (s simulated) mayOpen(events []Event) bool {
	type id struct {
		repository int64
		kind       Kind
		id         int64
	}
	spoiled, fine := map[id]bool{}, map[id]Event{}
	for _, e := range events {
		k := id{e.Repository, e.Kind, e.ID}
		allowed := e.Live.Known && e.Live.Role >= RoleWrite
		if e.Edited || e.Deleted || e.Live.Known && !allowed || e.Actor.Bot || e.Closed || e.Change != s.gate.Change {
			spoiled[k] = true
		}
		if allowed && e.CreatedAt.After(s.gate.OpenedAt) && e.CreatedAt.Before(s.gate.ExpiresAt) && s.asks(e) {
			fine[k] = e
		}
	}
	people, boss := map[int64]bool{}, map[int64]bool{}
	for k, e := range fine {
		if spoiled[k] || e.Repository != s.gate.Repository || !slices.Contains([]int64{alice, bob, carol, visitor, triager}, e.Actor.ID) {
			continue
		}
		people[e.Actor.ID] = true
		if e.Actor.ID == alice || e.Actor.ID == carol || len(e.Live.Teams) > 0 {
			boss[e.Actor.ID] = true
		}
	}
	need := s.policy.Groups[0].Count + len(s.policy.Groups) - 1
	return len(people) >= need && (len(s.policy.Groups) == 1 || len(boss) > 0)
}

func (s simulated) asks(e Event) bool {
	if e.Kind == Review && e.Command.Verb == "" {
		return s.policy.Reviews && e.Review == ReviewApproved && e.SHA == s.gate.SHA
	}
	named := e.Command.Target == s.gate.Target() || e.Command.Target == Target{} && s.policy.NonceOptional
	return (e.Command.Verb == Approve || e.Command.Verb == Promote) && named && (e.SHA == s.gate.SHA || e.Merged)
}

// stopped says whether somebody who may pulled a brake that nobody takes back.
func (s simulated) stopped(events []Event) bool {
	return slices.ContainsFunc(events, func(e Event) bool {
		return e.Source == s.gate.Source && !e.Edited && !e.Deleted && !e.Closed && !e.Actor.Bot && e.Actor.ID > 0 && e.BodyHash != "" &&
			e.Live.Known && e.Live.Role >= RoleTriage && e.Command.Verb == Abort && e.Command.Target == Target{}
	})
}

func (s simulated) verdict(events []Event) (Verdict, Log) {
	var l Log
	for _, e := range events {
		l = Reduce(l, s.gate, s.policy, e)
	}
	return Judge(s.gate, s.policy, l, opened.Add(30*time.Minute)), l
}

func TestNoOrderDuplicationEditOrLossEverOpensAGateWithoutEligibleLiveComments(t *testing.T) {
	t.Parallel()
	const comments = 20
	scenarios := 5000 // 100,000 comments
	if race.Enabled { // there is one goroutine: the detector finds nothing and takes ten times as long
		scenarios /= 10
	}
	var open, rejected, promoted, lost int
	for seed := range uint64(scenarios) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := simulate(r, 1+r.IntN(2*comments-1))
		events := s.delivered(r)
		v, l := s.verdict(events)
		if err := Verify(l); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if v.Open && (!s.mayOpen(events) || s.stopped(events) || v.Rejected || v.Paused || v.Aborted || len(v.Missing) > 0) {
			t.Fatalf("seed %d: opened: %+v", seed, v)
		}
		if s.stopped(events) && !v.Aborted {
			t.Fatalf("seed %d: not aborted: %+v", seed, v)
		}
		again, _ := s.verdict(s.delivered(r))
		if !reflect.DeepEqual(again, v) {
			t.Fatalf("seed %d: another order, another verdict:\n%+v\n%+v", seed, v, again)
		}
		part := events[:r.IntN(len(events)+1)]
		if w, _ := s.verdict(part); w.Open {
			lost++
			if !s.mayOpen(part) {
				t.Fatalf("seed %d: opened with events lost: %+v", seed, w)
			}
		}
		if n := len(l.Decisions); n > 0 {
			cut := Log{Decisions: l.Decisions[:r.IntN(n)], Head: l.Head}
			if Judge(s.gate, s.policy, cut, opened.Add(30*time.Minute)).Open {
				t.Fatalf("seed %d: opened by a log that was cut off", seed)
			}
		}
		open, rejected, promoted = open+count(v.Open), rejected+count(v.Rejected), promoted+count(v.Promote)
	}
	// A property of gates that never open, or of people who never reject, would prove nothing.
	if open < scenarios/20 || rejected < scenarios/20 || promoted == 0 || lost < scenarios/20 {
		t.Errorf("of %d only %d opened, %d rejected, %d promoted, %d opened with events lost", scenarios, open, rejected, promoted, lost)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func FuzzReduce(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed*3), []byte{1, 0, 2, 2, 9})
	}
	f.Fuzz(func(t *testing.T, seed uint64, comments uint8, order []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := simulate(r, 1+int(comments)%40)
		events := make([]Event, 0, len(order))
		for _, i := range order {
			events = append(events, s.events[int(i)%len(s.events)])
		}
		v, l := s.verdict(events)
		if err := Verify(l); err != nil {
			t.Fatal(err)
		}
		if v.Open && !s.mayOpen(events) {
			t.Fatalf("opened: %+v", v)
		}
		for _, e := range events {
			if again := Reduce(l, s.gate, s.policy, e); again.Head != l.Head {
				t.Fatalf("an event again adds %+v", again.Decisions[len(again.Decisions)-1])
			}
		}
		slices.Reverse(events)
		if back, _ := s.verdict(events); !reflect.DeepEqual(back, v) {
			t.Fatalf("in reverse:\n%+v\n%+v", v, back)
		}
	})
}
