package approval

import (
	"fmt"
	"slices"
	"strings"
)

// Verb is what a command asks for.
type Verb string

// The verbs. The empty verb is no command.
const (
	Approve Verb = "approve"
	Reject  Verb = "reject"
	Promote Verb = "promote"
	Pause   Verb = "pause"
	Resume  Verb = "resume"
	Abort   Verb = "abort"
	Status  Verb = "status"
	Help    Verb = "help"
)

// Class says how much permission a verb takes. The zero class is of no verb.
type Class string

// The classes of verbs.
const (
	Mutating Class = "mutating" // lets a rollout go on: takes somebody whom a group of the policy names
	Brake    Class = "brake"    // stops a rollout: easy to pull, takes the lower permission of the policy's brakes
	Read     Class = "read"     // changes nothing: anybody who can comment
)

// VerbInfo is one line of the table of verbs.
type VerbInfo struct {
	Verb        Verb
	Class       Class
	NeedsTarget bool   // the copied target, with its nonce, is part of the command
	Vote        bool   // speaks about the open gate; the other verbs speak about the whole rollout
	Does        string // one clause, for the help
}

var verbs = [...]VerbInfo{
	{Approve, Mutating, true, true, "opens the gate, together with the other approvals that the policy asks for"},
	{Reject, Brake, false, true, "rejects the open gate; the rollout is rolled back"},
	{Promote, Mutating, true, true, "approves, and skips the remaining steps when everybody who is needed says so"},
	{Pause, Brake, false, false, "holds the rollout at its present weight"},
	{Resume, Mutating, true, false, "lets a paused rollout go on"},
	{Abort, Brake, false, false, "rolls the rollout back now, at whatever step it is"},
	{Status, Read, false, false, "shows where the rollout is and what it waits for"},
	{Help, Read, false, false, "shows this help"},
}

// Verbs returns the table that the parser, the reducer and the help all read.
func Verbs() []VerbInfo { return slices.Clone(verbs[:]) }

// VerbFor returns the line of the table for a verb, and whether there is one.
func VerbFor(verb Verb) (VerbInfo, bool) {
	for i := range verbs {
		if verbs[i].Verb == verb {
			return verbs[i], true
		}
	}
	return VerbInfo{}, false
}

func classOf(verb Verb) Class {
	info, _ := VerbFor(verb)
	return info.Class
}

// who says in a word or two who may use a class of verbs.
func (c Class) who() string {
	switch c {
	case Mutating:
		return "people whom the policy names"
	case Brake:
		return "people with the policy's permission for brakes"
	default:
		return "everybody"
	}
}

// RenderHelp returns the help as markdown. An invalid prefix, see ParsePrefix, is shown as the default one.
func RenderHelp(prefix string) string {
	prefix, err := ParsePrefix(prefix)
	if err != nil {
		prefix = DefaultPrefix
	}
	var b strings.Builder
	b.WriteString("Write one command on a line of its own, outside quotes and code:\n\n")
	b.WriteString("| Command | What it does | Who may |\n| --- | --- | --- |\n")
	for _, info := range Verbs() {
		usage := prefix + " " + string(info.Verb)
		switch {
		case info.NeedsTarget:
			usage += " <target>"
		case info.Class == Brake:
			usage += " [target] [why]"
		case info.Verb == Status:
			usage += " [target]"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", usage, info.Does, info.Class.who())
	}
	b.WriteString("\nThe target names one gate of one rollout of one revision. Copy it from the comment that asks for approval.\n")
	b.WriteString("Only one command that changes something counts per comment, and an edited comment never counts: write a new one.\n")
	return b.String()
}
