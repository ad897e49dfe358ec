package report

import (
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Asked is the comment that a reply answers.
type Asked struct {
	Platform string // see MarkdownOptions
	Login    string // of whoever has asked
	URL      string // of the comment
	Problem  string // why the comment is no command, where it means to be one; see approval.Problem
}

// HelpReply answers whoever asks for help, or has written a command that is not understood.
func HelpReply(a Asked, prefix string) string {
	text := a.heading("Commands")
	if a.Problem != "" {
		text = a.heading("That was not understood") + "\n\nNothing has changed: " + prose(Clean(a.Problem)) + "."
	}
	return text + "\n\n" + approval.RenderHelp(prefix)
}

// StatusReply answers whoever asks how a rollout stands: as the page of the rollout does, from what the cluster keeps.
func StatusReply(a Asked, s *Standing, now time.Time) string {
	r := &s.Record
	snapshot := Snapshot{
		Canary: s.Canary, Namespace: s.Namespace, Status: r.Status, Reason: s.reason(), Now: now, Image: r.Image, History: r.History,
		Outcome: rollout.Running,
	}
	how := a.heading("Status") + " · step " + s.step() + " · " + failedText(r.Status.Failed)
	blocks := []string{how, Markdown(snapshot, MarkdownOptions{Platform: a.Platform, Limit: limitGitHub - 4096, RunURL: r.RunURL, Gate: s.Gate})}
	if s.Problem != "" {
		blocks = append(blocks, "**Problem:** "+prose(Clean(s.Problem)))
	}
	if s.Run == Unattended {
		blocks = append(blocks, prose("Run: "+s.runText(now))+".")
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

// heading names what is answered to whom. Nobody is mentioned: who has asked looks anyway.
func (a Asked) heading(what string) string {
	text := "**" + what + "**"
	if to := link(a.URL); to != "" {
		text += " · in answer to [this comment](<" + to + ">)"
	}
	if a.Login != "" {
		text += " by " + prose(a.Login)
	}
	return text
}

// FlaggerGate tells people how a gate stands that Flagger asks about.
func FlaggerGate(n *approval.Notice, v *approval.Verdict) string {
	heading := "### ✋ " + code(name(n.Namespace, n.Canary)) + " waits for approval"
	about := "Flagger asks before it goes on with the rollout of " + code(n.Gate.SHA) + "."
	gate := GateOf(n, v)
	if gate == nil {
		heading = "### ✅ " + code(name(n.Namespace, n.Canary)) + " was approved"
		about = "The gate " + code(n.Gate.Name) + " is open. Flagger goes on with its next check."
		gate = &Gate{}
		for i := range v.Votes {
			if v.Votes[i].Counted {
				gate.Counts = append(gate.Counts, v.Votes[i].Sentence())
			}
		}
		return strings.Join([]string{heading, about, gate.votes()}, "\n\n") + "\n"
	}
	p := page{o: &MarkdownOptions{Platform: string(n.Gate.Platform), Gate: gate}}
	return strings.Join(append([]string{heading, about}, p.gate()...), "\n\n") + "\n"
}

// ResumeReply tells people that the run which goes on with a suspended rollout has to be started by hand, and how.
func ResumeReply(s *Standing, problem, byHand string) string {
	return strings.Join([]string{
		"### ⚠️ " + code(name(s.Namespace, s.Canary)) + " has to be resumed by hand",
		"The gate " + code(string(s.Record.Status.Gate)) + " is open, but the run that goes on with the rollout was not started: " +
			prose(clip(Clean(problem), 600)) + ".",
		"To start it:\n\n" + fence(Clean(byHand), 2000),
		"Nobody tries again. Until somebody does this, the rollout stands where it is; what ends it is the timeout of its gate.",
	}, "\n\n") + "\n"
}

// WaitsFor says in a line what the gate of a rollout lacks, and what opens it.
func WaitsFor(s *Standing) string {
	text := "Waiting at the gate " + Clean(s.gate()) + " of " + Clean(name(s.Namespace, s.Canary))
	if len(s.Lacks) > 0 {
		text += ", which lacks " + Clean(strings.Join(s.Lacks, ", "))
	}
	if s.Gate != nil && s.Gate.Command != "" {
		text += ". To open it, write this line as a comment on the request: " + Clean(s.Gate.Command)
	}
	return text
}
