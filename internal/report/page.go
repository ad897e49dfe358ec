package report

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Platforms whose markdown is written.
const (
	PlatformGitHub = "github"
	PlatformGitLab = "gitlab"
)

// The longest texts that the platforms take, in bytes: GitHub for the summary of a check run or a comment, GitLab for a
// note. GitLab counts characters, of which there are never more than bytes.
const (
	limitGitHub = 65_535
	limitGitLab = 1_000_000
)

// MarkdownOptions says for whom a page is written.
type MarkdownOptions struct {
	Platform string // PlatformGitHub or PlatformGitLab; anything else reads like GitHub
	Limit    int    // bytes that the page may have; 0 is the platform's own limit
	Marker   string // an HTML comment by which the page is found again; it comes first, and is kept as it is
	RunURL   string // of the job; only http and https become a link
	Gate     *Gate  // what waits for a person, when the caller knows how it is opened
	Ended    *Ended // that the run is over before its rollout is; nil while it goes on
}

// Ended says of a run that it ended with an error.
type Ended struct {
	Title string // a few words, such as "could not finish"
	Why   string // the error
	Next  string // what to do, a sentence
}

func (o *MarkdownOptions) limit() int {
	switch {
	case o.Limit > 0:
		return o.Limit
	case o.Platform == PlatformGitLab:
		return limitGitLab
	}
	return limitGitHub
}

// detail is how much a page tells. A page that is too long is written again with less.
type detail struct {
	charts bool
	steps  int // how many steps, the newest first; 0 is none
	checks int
	text   int // bytes of one text from outside
	block  int // bytes of one query or answer
}

// details go from all to what must be said. The charts go first: the tables have the same numbers.
var details = [...]detail{
	{charts: true, steps: 200, checks: 100, text: 4000, block: 8000},
	{steps: 200, checks: 100, text: 4000, block: 8000},
	{steps: 40, checks: 100, text: 2000, block: 4000},
	{steps: 10, checks: 40, text: 1000, block: 2000},
	{steps: 3, checks: 10, text: 400, block: 600},
	{checks: 3, text: 200, block: 200},
	{text: 120},
}

// Markdown writes the page of a rollout: one glance tells where it stands, its weight and why; then the checks, the steps
// and charts; after a failure first of all what failed, with the query and the answer, and what to do. It is never longer
// than the limit: charts go first, then old steps, and the page says what was left out.
func Markdown(s Snapshot, o MarkdownOptions) string {
	p := page{s: &s, o: &o, r: Summarise(s)}
	text := ""
	for _, p.detail = range details {
		if text = p.write(); len(text) <= o.limit() {
			return text
		}
	}
	return lastResort(o.Marker, text, o.limit())
}

// lastResort keeps the beginning: the marker, without which the page could not be found again, and whole lines.
func lastResort(marker, text string, limit int) string {
	kept := head(text, limit)
	if at := strings.LastIndexByte(kept, '\n'); at > len(marker) {
		return kept[:at+1]
	}
	if len(marker)+1 <= limit && marker != "" {
		return marker + "\n"
	}
	return "" // half a line of markdown could mean anything
}

// page writes one snapshot with one detail.
type page struct {
	detail
	s *Snapshot
	r Result
	o *MarkdownOptions
}

func (p *page) write() string {
	blocks := []string{p.top()}
	blocks = append(blocks, p.why()...)
	blocks = append(blocks, p.gate()...)
	blocks = append(blocks, p.about(), p.checkTable(), p.stepTable(), p.loadTable())
	if p.charts {
		blocks = append(blocks, p.chartBlock())
	}
	blocks = append(blocks, p.leftOut())
	kept := blocks[:0]
	for _, b := range blocks {
		if b != "" {
			kept = append(kept, b)
		}
	}
	return seal(strings.Split(strings.Join(kept, "\n\n"), "\n"))
}

// top is the marker and the heading: verdict, canary, phase, weight and step.
func (p *page) top() string {
	where := ""
	if p.s.Outcome == rollout.RolledBack {
		where = p.r.where()
	}
	parts := []string{p.symbol() + " " + code(clip(name(p.s.Namespace, p.s.Canary), p.text)) + " " + prose(p.state()) + where}
	switch over := p.s.Outcome != rollout.Running; {
	case over && p.s.weight() > 0:
		parts = append(parts, percent(p.s.weight())+" of the traffic on the canary")
	case !over && (p.s.Status.Step > 0 || p.s.Status.Weight > 0):
		parts = append(parts, shareNow(p.s))
	}
	if n := len(p.s.Spec.Steps); p.s.Status.Step > 0 && n > 0 {
		parts = append(parts, fmt.Sprintf("step %d of %d", p.s.Status.Step, n))
	}
	heading := "### " + strings.Join(parts, " · ")
	if p.o.Marker != "" {
		return p.o.Marker + "\n" + heading
	}
	return heading
}

func (p *page) state() string {
	switch {
	case p.s.Outcome != rollout.Running:
		return outcomeWords(p.s.Outcome)
	case p.o.Ended != nil:
		return p.o.Ended.Title
	case atGate(p.s):
		return "waiting at the gate"
	}
	return phaseText(p.s)
}

func (p *page) symbol() string {
	switch {
	case p.failed(), p.s.Outcome == rollout.Running && p.o.Ended != nil:
		return "❌"
	case p.s.Outcome == rollout.Cancelled, p.s.Outcome == rollout.Superseded,
		p.s.Outcome == rollout.Suspended && p.s.Status.Suspended.IsZero():
		return "🟡"
	case p.s.Outcome == rollout.Gated, p.s.Outcome == rollout.Suspended, atGate(p.s):
		return "✋"
	case p.s.Outcome != rollout.Running:
		return "✅"
	case p.s.Status.Failed > 0:
		return "⚠️"
	}
	return "⏳"
}

// failed reports whether the revision was rejected, or is being rolled back.
func (p *page) failed() bool {
	return p.s.Outcome == rollout.RolledBack || p.s.Outcome == rollout.Halted ||
		p.s.Outcome == rollout.Running && p.s.Status.Phase == rollout.RollingBack
}
