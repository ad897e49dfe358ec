package report

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// boardRollout is what the template of one rollout shows.
type boardRollout struct {
	Gone      string // namespace/name of a rollout of which nothing is kept; all else is empty then
	Problems  []string
	Row       boardRow
	Why       string
	Facts     []fact
	Checks    []webCheck
	Steps     []webStep
	Charts    []*chart
	History   []boardEntry
	Decisions []boardDecision
	Earlier   []boardRow // rollouts of the same canary
	Distrust  string     // why the decisions are not to be trusted
	Command   string     // that shows the same in a terminal
}

type boardEntry struct {
	Time                boardTime
	Phase, Step, Failed string
	Weight, Reason      string
}

type boardDecision struct {
	Time           boardTime
	Who, Said, Why string
	Counted        bool
	URL            string
}

// RolloutFragment returns the changing part of the page of one rollout.
func (b Board) RolloutFragment(namespace, canary string) ([]byte, error) {
	r := b.rollout(namespace, canary)
	return renderBoard("rollout", &r)
}

// RolloutHTML returns the page of one rollout, and whether anything is kept of it.
func (b Board) RolloutHTML(namespace, canary string) (page []byte, found bool, err error) {
	r := b.rollout(namespace, canary)
	query := url.Values{"namespace": {namespace}, "canary": {canary}}
	title := short(name(namespace, canary), boardName)
	page, err = boardPage{Title: title, Root: "../../", Events: "../../events?" + query.Encode(), Rollout: &r}.render()
	return page, r.Gone == "", err
}

func (b Board) rollout(namespace, canary string) boardRollout {
	at := slices.IndexFunc(b.Standings, func(s Standing) bool { return s.Namespace == namespace && s.Canary == canary })
	if at < 0 {
		return boardRollout{Gone: short(name(namespace, canary), boardName), Problems: b.problems()}
	}
	s := &b.Standings[at]
	snap := s.snapshot()
	result := Summarise(*snap)
	out := boardRollout{
		Problems: b.problems(), Row: b.row(s, "../../"), Facts: b.facts(s), Why: clip(Clean(s.reason()), maxPageText),
		Checks: webChecks(snap), Steps: webSteps(&result, snap), Charts: charts(snap, &result),
		Command: "penstock status " + Clean(s.Canary) + " -n " + Clean(s.Namespace) + " -o json",
	}
	for i := len(s.Record.History) - 1; i >= 0; i-- {
		out.History = append(out.History, b.entry(s, i))
	}
	for i := len(s.Decisions.Decisions) - 1; i >= 0; i-- {
		out.Decisions = append(out.Decisions, b.decision(&s.Decisions.Decisions[i]))
	}
	for _, e := range s.earlier() {
		out.Earlier = append(out.Earlier, b.row(&e, "../../"))
	}
	if err := approval.Verify(s.Decisions); err != nil {
		out.Distrust = Clean(err.Error())
	}
	return out
}

func (b Board) facts(s *Standing) []fact {
	r := &s.Record
	var out []fact
	for _, f := range []fact{
		{"Problem", s.Problem}, {"Target", r.Target}, {"Image", r.Image}, {"Revision", r.Status.Revision},
		{"Promoted", r.Status.Promoted}, {"Commit", r.Commit}, {"Step", s.step()}, {"Failed", failedText(r.Status.Failed)},
		{"Run", s.runText(b.Now)}, {"Started", stamp(r.Started, b.Now)}, {"Updated", stamp(r.Updated, b.Now)},
	} {
		if f.Text = strings.TrimSpace(Clean(f.Text)); f.Text != "" {
			out = append(out, fact{f.Name, clip(f.Text, maxPageText)})
		}
	}
	return out
}

func (b Board) entry(s *Standing, i int) boardEntry {
	e := &s.Record.History[i]
	return boardEntry{
		Time: b.clock(e.Time), Phase: short(Clean(string(e.Phase)), cellName), Step: fmt.Sprintf("%d/%d", e.Step, e.Steps), Failed: fmt.Sprint(e.Failed),
		Weight: percent(e.Weight), Reason: short(Clean(e.Reason), boardText),
	}
}

func (b Board) decision(d *approval.Decision) boardDecision {
	out := boardDecision{
		Time: b.clock(d.Observed), Who: short(orNone(d.Actor.Login), boardName), Said: short(orNone(string(d.Verb)), cellName), Counted: d.Counted,
		Why: short(Clean(d.Why), boardText), URL: link(d.URL),
	}
	if !d.Counted {
		out.Why = short(Clean(d.Reason.Sentence()), boardText)
	}
	return out
}

// clock is a moment by the clock, for lists of what has been.
func (b Board) clock(t time.Time) boardTime {
	if t.IsZero() {
		return boardTime{}
	}
	return boardTime{At: t.UTC().Format(time.RFC3339), Text: t.UTC().Format("2006-01-02 15:04:05")}
}
