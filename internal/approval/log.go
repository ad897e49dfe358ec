package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Decision is one line of the audit: one sight of one comment, and what was made of it.
type Decision struct {
	Source
	Kind       Kind       `json:"kind,omitempty"`
	Comment    int64      `json:"comment"`
	URL        string     `json:"url,omitempty"`
	Actor      Actor      `json:"actor"`
	Verb       Verb       `json:"verb,omitempty"` // empty for a comment that was changed and has no command any more
	Target     string     `json:"target,omitempty"`
	Why        string     `json:"why,omitempty"` // the reason in the words of whoever wrote the comment
	BodyHash   string     `json:"bodySHA256,omitempty"`
	CreatedAt  time.Time  `json:"createdAt"`
	Observed   time.Time  `json:"observed"`
	Via        Via        `json:"via,omitempty"`
	Permission Permission `json:"permission"`
	Rollout    string     `json:"rollout"`          // the rollout's id
	Gate       string     `json:"gate"`             // the target of the gate that it was held against
	Policy     string     `json:"policy,omitempty"` // the hash of the policy by which it was
	Counted    bool       `json:"counted"`
	Reason     Reason     `json:"reason"`
	Prev       string     `json:"prev,omitempty"` // the hash of the decision before this one
}

// Log is an append-only list of decisions. Each holds the hash of the one before it, and Head is the hash of the last:
// kept elsewhere as well, it shows that nothing was cut off.
type Log struct {
	Decisions []Decision `json:"decisions,omitempty"`
	Head      string     `json:"head,omitempty"`
}

// hash returns the decision's hash in hexadecimal. It survives a trip through JSON.
func (d Decision) hash() string {
	text, err := json.Marshal(d)
	if err != nil { // a time beyond the year 9999
		return "unreadable"
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// with returns the log with one more decision. The log itself stays as it is.
func (l Log) with(d Decision) Log {
	d.Prev = l.Head
	return Log{Decisions: append(slices.Clip(l.Decisions), d), Head: d.hash()}
}

// Verify says whether the log is as it was written: every decision follows the one before it, and the head is the last.
func Verify(l Log) error {
	prev := ""
	for i, d := range l.Decisions {
		if d.Prev != prev {
			return fmt.Errorf("decision %d of the log does not follow the one before it: the log was changed", i+1)
		}
		prev = d.hash()
	}
	if prev != l.Head {
		return fmt.Errorf("the log ends after %d decisions with another hash than its head: the log was changed or cut off", len(l.Decisions))
	}
	return nil
}

// Extends reports whether the log holds everything that it held when its head was the given one. It needs a log that
// passes Verify.
func (l Log) Extends(head string) bool {
	return head == "" || head == l.Head || slices.ContainsFunc(l.Decisions, func(d Decision) bool { return d.Prev == head })
}

// decide makes the decision about an event. It looks at no other decision.
func decide(g Gate, p Policy, e Event) Decision {
	command, reason := e.command(p), refuse(g, p, e)
	d := Decision{
		Source: e.Source, Kind: e.Kind, Comment: e.ID, URL: valid(e.URL), Actor: e.Actor,
		Verb: command.Verb, Target: command.Target.String(), Why: valid(command.Reason),
		BodyHash: valid(e.BodyHash), CreatedAt: e.CreatedAt.UTC().Round(0), Observed: e.Observed.UTC().Round(0), Via: e.Via,
		Rollout: valid(g.Rollout), Gate: g.Target().String(), Policy: valid(g.PolicyHash), Counted: reason == Counted, Reason: reason,
	}
	if classOf(d.Verb) == Read {
		d.Verb = "" // asking is no vote, and becomes none by being edited
	}
	d.Actor.Login = valid(e.Actor.Login)
	d.Permission = Permission{Known: e.Live.Known, Role: e.Live.Role}
	for _, team := range sorted(lowered(e.Live.Teams)) {
		d.Permission.Teams = append(d.Permission.Teams, valid(team))
	}
	return d
}

// valid makes text fit for JSON, which would replace what is no UTF-8 and so change the hash on the way.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// sameComment reports whether two decisions are about one comment. Comment ids are unique in a repository.
func (d Decision) sameComment(o Decision) bool { return d.key() == o.key() }

// key names a comment.
type key struct {
	platform   Platform
	repository int64
	kind       Kind
	comment    int64
}

func (d Decision) key() key { return key{d.Platform, d.Repository, d.Kind, d.Comment} }
