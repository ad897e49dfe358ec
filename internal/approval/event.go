package approval

import (
	"cmp"
	"strings"
	"time"
)

// Platform is a forge.
type Platform string

// The forges.
const (
	GitHub Platform = "github"
	GitLab Platform = "gitlab"
)

// Kind is the kind of text that a command is in. The forges number the kinds apart from each other.
type Kind string

// The kinds. The zero Kind is a comment.
const (
	Comment Kind = ""
	Review  Kind = "review"
)

// ReviewState is what a review says besides its text.
type ReviewState string

// The states of reviews.
const (
	ReviewApproved  ReviewState = "approved"
	ReviewChanges   ReviewState = "changes_requested"
	ReviewCommented ReviewState = "commented"
	ReviewDismissed ReviewState = "dismissed"
)

// Via is how an event came to be known.
type Via string

// The ways.
const (
	Webhook Via = "webhook"
	Poll    Via = "poll"
	Direct  Via = "direct" // said to the cluster itself
)

// Source is where a comment stands.
type Source struct {
	Platform   Platform `json:"platform"`
	Repository int64    `json:"repository"`       // by number: names move
	Change     int64    `json:"change,omitempty"` // the number of the pull or merge request in it
}

// Actor is who wrote a comment.
type Actor struct {
	ID    int64  `json:"id"` // by number: names can be given up and taken by somebody else
	Login string `json:"login"`
	Bot   bool   `json:"bot,omitempty"`
	App   bool   `json:"app,omitempty"` // written by an application in somebody's name
}

// Permission is the forge's answer, asked now, to what somebody may do. Its zero value is no answer, and no permission.
type Permission struct {
	Known bool     `json:"known"` // false when the forge did not say
	Role  Role     `json:"role"`
	Teams []string `json:"teams,omitempty"` // those of the policy's teams that the person is in
}

// Event is a comment or a review as somebody has just read it from the forge. A webhook's own text is no Event: it says
// only what to read again.
type Event struct {
	Source
	Kind      Kind
	ID        int64 // the comment's or the review's
	URL       string
	Actor     Actor
	CreatedAt time.Time // as the forge says
	Edited    bool      // at any time, by anybody
	Deleted   bool
	BodyHash  string // see HashBody
	Command   Command
	Review    ReviewState // of a review
	SHA       string      // the commit that was reviewed, or the head of the change; empty when the forge does not say
	Merged    bool        // the change is merged
	Closed    bool        // the change is closed, and not merged
	Live      Permission
	Observed  time.Time // when it was read
	Via       Via
}

// command returns what the event asks for. What a review says besides its text is a vote only when the policy takes
// reviews, and a request for changes is never an approval, whatever the text says.
func (e Event) command(p Policy) Command {
	if e.Kind != Review || !p.Reviews {
		return e.Command
	}
	switch {
	case e.Review == ReviewChanges && classOf(e.Command.Verb) != Brake:
		return Command{Verb: Reject}
	case e.Review == ReviewApproved && e.Command.Verb == "":
		return Command{Verb: Approve}
	default:
		return e.Command
	}
}

// Gate is a gate of a rollout as the record has it, with the people around the change. The zero Gate never opens.
type Gate struct {
	Source
	Name       string    `json:"name,omitempty"`  // such as confirm-promotion
	Rollout    string    `json:"rollout"`         // the rollout's id
	Number     int       `json:"number"`          // in the rollout, from 1
	Nonce      string    `json:"nonce,omitempty"` // see Bind
	SHA        string    `json:"sha"`             // the commit that is rolled out
	PolicyHash string    `json:"policyHash"`      // of the policy that the rollout started under
	Started    time.Time `json:"started"`
	OpenedAt   time.Time `json:"openedAt,omitzero"` // when it began to wait; zero while no gate waits, when only brakes and resume work
	ExpiresAt  time.Time `json:"expiresAt,omitzero"`
	Void       Void      `json:"void,omitempty"`
	Alone      bool      `json:"alone,omitempty"` // no other gate waits on the change
	People     People    `json:"people"`
}

// People are those whom a policy may ban. A ban on somebody who is not known keeps the gate closed.
type People struct {
	Author     int64   `json:"author,omitempty"`     // of the change
	Actors     []int64 `json:"actors,omitempty"`     // who started the run, and who started it again
	LastPusher int64   `json:"lastPusher,omitempty"` // of the change
	Committers []int64 `json:"committers,omitempty"`
}

// Target returns what people copy.
func (g Gate) Target() Target {
	return Target{Rollout: Short(g.Rollout), Gate: g.Number, Nonce: strings.ToLower(g.Nonce)}
}

// lacks returns what the gate would need in order to be opened by anybody, in words, or "".
func (g Gate) lacks() string {
	_, err := ParseTarget(g.Target().String())
	switch {
	case g.Platform == "" || g.Repository == 0 || g.Change == 0:
		return "the change that the rollout belongs to is not known"
	case g.OpenedAt.IsZero():
		return "no gate is waiting"
	case err != nil || g.Rollout == "":
		return "the gate has no target"
	case g.SHA == "":
		return "the commit is not known"
	case g.ExpiresAt.IsZero():
		return "the gate has no deadline"
	default:
		return ""
	}
}

// unknown returns whom the policy bans without that anybody knows who it is, in words, or "".
func (g Gate) unknown(b Bans) string {
	var who []string
	if b.Author && g.People.Author == 0 {
		who = append(who, "the author of the change")
	}
	if b.Actor && len(g.People.Actors) == 0 {
		who = append(who, "who started the run")
	}
	if b.LastPusher && g.People.LastPusher == 0 {
		who = append(who, "who pushed last")
	}
	if b.Committers && len(g.People.Committers) == 0 {
		who = append(who, "who committed")
	}
	if len(who) == 0 {
		return ""
	}
	return "the policy bans " + strings.Join(who, " and ") + ", and it is not known who that is"
}

// compareTime orders votes: by when they were written; at the same moment the brake is last, so that it wins. The forges'
// moments are up to a second long.
func compareTime(a, b Decision) int {
	brake := func(d Decision) int {
		if classOf(d.Verb) == Brake {
			return 1
		}
		return 0
	}
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(brake(a), brake(b)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Comment, b.Comment))
}

// Gone is the event of a comment that a decision knows and that is no longer there.
func Gone(d Decision, observed time.Time) Event {
	return Event{
		Source: d.Source, Kind: d.Kind, ID: d.Comment, URL: d.URL, Actor: d.Actor, CreatedAt: d.CreatedAt, Deleted: true,
		BodyHash: d.BodyHash, Command: Command{Verb: d.Verb, Reason: d.Why}, Live: d.Permission, Observed: observed, Via: d.Via,
	}
}
