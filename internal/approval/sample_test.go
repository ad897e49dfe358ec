package approval

import (
	"testing"
	"time"
)

// The people of the tests.
const (
	alice   = 101 // may approve
	bob     = 102 // may approve
	carol   = 103 // may approve
	author  = 201
	actor   = 202
	pusher  = 203
	visitor = 301 // may read
	triager = 302 // may pull brakes
)

var opened = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// sampleBinding is what the sample gate is bound to.
func sampleBinding() Binding {
	return Binding{Rollout: "01JTCANARY7Q2KZM", Gate: 2, Repository: 77, SHA: "c0ffee", Digest: "sha256:1", SpecHash: "s1", Metrics: "m1", Epoch: 3}
}

func samplePolicy() Policy {
	p := Defaults()
	p.Groups = []Group{{Name: "sre", MinRole: RoleWrite, Count: 1}}
	return p
}

func sampleGate(p Policy) Gate {
	b := sampleBinding()
	return Gate{
		Source: Source{Platform: GitHub, Repository: b.Repository, Change: 5}, Name: "confirm-promotion",
		Rollout: b.Rollout, Number: b.Gate, Nonce: Bind([]byte("key"), b), SHA: b.SHA, PolicyHash: p.Hash(),
		Started: opened.Add(-10 * time.Minute), OpenedAt: opened, ExpiresAt: opened.Add(time.Hour), Alone: true,
		People: People{Author: author, Actors: []int64{actor}, LastPusher: pusher},
	}
}

// says returns a fresh comment, a minute after the gate opened for each id, by somebody who may write.
func says(g Gate, id, who int64, verb Verb) Event {
	e := Event{
		Source: g.Source, ID: id, URL: "https://forge.example/c", Actor: Actor{ID: who, Login: "user"},
		CreatedAt: opened.Add(time.Duration(id) * time.Minute), BodyHash: HashBody(string(verb)),
		Command: Command{Verb: verb}, SHA: g.SHA, Live: Permission{Known: true, Role: RoleWrite}, Via: Webhook,
	}
	if info, _ := VerbFor(verb); info.NeedsTarget {
		e.Command.Target = g.Target()
	}
	switch who {
	case visitor:
		e.Live.Role = RoleRead
	case triager:
		e.Live.Role = RoleTriage
	}
	e.Observed = e.CreatedAt.Add(time.Second)
	return e
}

// judged puts events through the log and judges them half an hour after the gate opened.
func judged(t *testing.T, g Gate, p Policy, events ...Event) Verdict {
	t.Helper()
	var l Log
	for _, e := range events {
		l = Reduce(l, g, p, e)
	}
	if err := Verify(l); err != nil {
		t.Fatal(err)
	}
	return Judge(g, p, l, opened.Add(30*time.Minute))
}

// onlyReason returns the reason of the only vote.
func onlyReason(t *testing.T, v Verdict) Reason {
	t.Helper()
	if len(v.Votes) != 1 {
		t.Fatalf("%d votes: %+v", len(v.Votes), v.Votes)
	}
	return v.Votes[0].Reason
}
