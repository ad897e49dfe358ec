package approval

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Kubernetes is the platform of what operators say with their access to the cluster, and not by a comment. Who may write
// the decisions there is Kubernetes' to say: an operator's brake always counts, and an approval where the policy allows it.
const Kubernetes Platform = "kubernetes"

// operatorBase is above every number that a forge gives, so that an operator is nobody of the forge.
const operatorBase = 1 << 62

// Operator is somebody with access to the cluster.
type Operator struct {
	Name string // of the user, as the API server knows it
	Verb Verb
	Why  string
	At   time.Time
}

// EventOf returns what an operator says to the rollout of a notice. What they approve is the gate that waits now.
func EventOf(n Notice, o Operator) Event {
	e := Event{
		Source: Source{Platform: Kubernetes, Repository: n.Gate.Repository, Change: n.Gate.Change},
		ID:     numbered("said", o.Name, string(o.Verb), o.Why, o.At.UTC().Format(time.RFC3339Nano)),
		Actor:  Actor{ID: numbered("user", o.Name), Login: o.Name}, CreatedAt: o.At, Observed: o.At, SHA: n.Gate.SHA,
		Command: Command{Verb: o.Verb, Reason: o.Why}, Live: Permission{Known: true}, Via: Direct,
	}
	if info, _ := VerbFor(o.Verb); info.NeedsTarget || info.Vote {
		e.Command.Target = n.Gate.Target()
	}
	e.BodyHash = HashBody(string(o.Verb) + " " + e.Command.Target.String() + " " + o.Why)
	return e
}

// numbered makes a number of text, as the forges have them for people and comments.
func numbered(parts ...string) int64 {
	hash := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	return operatorBase | int64(binary.BigEndian.Uint64(hash.Sum(nil))>>2) //nolint:gosec // 62 bits
}

// groupsFor returns the numbers of the groups that somebody counts in. An operator whose approvals the policy allows
// counts in any group, but as everybody in one of them only.
func (p Policy) groupsFor(platform Platform, actor int64, live Permission) []int {
	if platform != Kubernetes {
		return p.groupsOf(actor, live)
	}
	if !p.Operators {
		return nil
	}
	var in []int
	for i, g := range p.Groups {
		if g.Count > 0 {
			in = append(in, i)
		}
	}
	return in
}

// LastOf returns the newest decision about what an operator said, and whether there is one.
func (l Log) LastOf(e Event) (Decision, bool) {
	for _, d := range slices.Backward(l.Decisions) {
		if d.Platform == e.Platform && d.Comment == e.ID {
			return d, true
		}
	}
	return Decision{}, false
}
