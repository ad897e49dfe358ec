package report

import (
	"cmp"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// votesShown is how many of the votes that do not count a page tells of: the newest.
const votesShown = 5

// Gate tells a person how a gate is opened, and how far it is.
type Gate struct {
	Name    string        // such as confirm-promotion
	Verb    approval.Verb `json:"-"` // that opens it
	Command string        // the exact line to write as a comment, such as "/canary approve r7-2-k3v9q2ab"
	Who     string        // who may open it, in words; may be empty
	Until   time.Time     // when it expires; zero when it never does

	Counts []string `json:",omitempty"` // what counts so far, a sentence each
	Lacks  []string `json:",omitempty"` // what it still lacks, in words
	Others []string `json:",omitempty"` // what does not count and why, a sentence each
}

// GateOf returns what people are told about the gate of a notice; nil when no gate waits for them.
func GateOf(n *approval.Notice, v *approval.Verdict) *Gate {
	g := &Gate{Who: n.Policy.Who(), Verb: approval.Approve}
	switch {
	case n.Gate.Change == 0:
		return nil
	case v.Paused: // no gate opens before that has ended
		g.Name, g.Verb = "pause", approval.Resume
	case n.Gate.OpenedAt.IsZero(), v.Open:
		return nil
	default:
		g.Name, g.Until = n.Gate.Name, n.Gate.ExpiresAt
	}
	g.Command = strings.Join([]string{
		cmp.Or(strings.TrimSpace(n.Prefix), approval.DefaultPrefix), string(g.Verb), n.Gate.Target().String(),
	}, " ")
	g.Lacks = v.Missing
	for i := range v.Votes {
		if vote := &v.Votes[i]; vote.Counted {
			g.Counts = append(g.Counts, vote.Sentence())
		} else {
			g.Others = append(g.Others, vote.Sentence())
		}
	}
	g.Others = g.Others[max(0, len(g.Others)-votesShown):]
	return g
}

// gate says what waits for a person, what it has and lacks, and the line to copy.
func (p *page) gate() []string {
	g := p.o.Gate
	if g == nil {
		return nil
	}
	text := "**Waiting for approval**"
	if g.Name != "" {
		text += " at the gate " + code(clip(Clean(g.Name), 200))
	}
	if g.Who != "" {
		text += ", by " + prose(clip(Clean(g.Who), 400))
	}
	if !g.Until.IsZero() {
		text += ", until " + g.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	blocks := []string{text + "."}
	if votes := g.votes(); votes != "" {
		blocks = append(blocks, votes)
	}
	if g.Command == "" {
		return blocks
	}
	// A block, and not a span, has the button that copies it.
	ask := "To let it go on, write this line as a comment:\n\n" + fence(g.Command, 1000)
	if len(blocks) == 1 {
		return []string{blocks[0] + " " + ask}
	}
	return append(blocks, ask)
}

// votes lists what counts, what is lacking, and what does not count.
func (g *Gate) votes() string {
	var lines []string
	add := func(mark string, texts []string) {
		for _, text := range texts {
			lines = append(lines, "- "+mark+" "+prose(clip(Clean(text), 400)))
		}
	}
	add("✅", g.Counts)
	add("✋ still lacks", g.Lacks)
	add("✖️", g.Others)
	return strings.Join(lines, "\n")
}
