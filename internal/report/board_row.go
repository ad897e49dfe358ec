package report

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	boardName = 120 // characters of a name
	boardText = 300 // of a reason in a list
)

// unfinished reports whether the rollout is between its start and its end. A record that cannot be read is not.
func (s *Standing) unfinished() bool {
	p := s.Record.Status.Phase
	return p != "" && p != rollout.Initialized && !p.Terminal()
}

// waits reports whether the rollout stands at a gate.
func (s *Standing) waits() bool {
	return s.Gate != nil || s.unfinished() && (s.Record.Status.Gate != "" || !s.Record.Status.Suspended.IsZero())
}

// row is a standing in a list. root leads from the page to the start page.
func (b Board) row(s *Standing, root string) boardRow {
	r := &s.Record
	row := boardRow{
		ID:   "r-" + url.PathEscape(s.Namespace+"."+s.Canary),
		Href: root + "rollouts/" + url.PathEscape(s.Namespace) + "/" + url.PathEscape(s.Canary),
		Name: short(name(s.Namespace, s.Canary), boardName), State: short(s.state(), boardName), Weight: min(max(r.Status.Weight, 0), 100), Step: s.step(),
		Started: b.time(r.Started), Updated: b.time(r.Updated), RunURL: link(r.RunURL), Run: s.runWord(),
		Revision: short(Clean(r.Status.Revision), boardName), Image: short(Clean(r.Image), boardName), Why: short(Clean(s.reason()), boardText),
	}
	row.Class, row.Symbol = s.class()
	row.Checks, row.ChecksClass = s.checksText()
	if n := r.Status.Failed; n > 0 {
		row.Failed = fmt.Sprint(n)
	}
	if s.waits() {
		row.Gate = b.gate(s)
	}
	return row
}

// class colours a state; its symbol and its word say the same.
func (s *Standing) class() (class, symbol string) {
	switch {
	case s.Record.Status.Halted, s.Problem != "" && s.Record.Status.Phase == "", s.Record.Status.Phase == rollout.Failed,
		s.Record.Status.Phase == rollout.RollingBack:
		return "fail", "✗"
	case s.waits():
		return "wait", "■"
	case s.Record.Status.Phase == rollout.Succeeded, s.Record.Status.Phase == rollout.Initialized:
		return "pass", "✓"
	}
	return "run", "●"
}

// runWord says whether anybody drives the rollout.
func (s *Standing) runWord() string {
	switch {
	case s.Run == Attended:
		return "at work"
	case !s.Record.Status.Suspended.IsZero():
		return "suspended"
	case s.Run == AttendanceUnknown:
		return "not known"
	}
	return "none at work"
}

// checksText sums up the latest answers of the checks, and names the first that did not pass.
func (s *Standing) checksText() (text, class string) {
	all := s.snapshot().judged()
	passed, named := 0, ""
	for i := range all {
		if all[i].Verdict == rollout.Pass {
			passed++
		} else if named == "" {
			named = short(Clean(all[i].Name), 40) + ": " + verdictWord(all[i].Verdict)
			class = verdictClass(all[i].Verdict)
		}
	}
	switch {
	case len(all) == 0:
		return "none yet", "pending"
	case named == "":
		return fmt.Sprintf("%d of %d pass", passed, len(all)), "pass"
	}
	return fmt.Sprintf("%d of %d pass; %s", passed, len(all), named), class
}

// snapshot is the standing as the views of a run know a rollout. What only the run knows is zero.
func (s *Standing) snapshot() *Snapshot {
	r := &s.Record
	snap := &Snapshot{
		Canary: s.Canary, Namespace: s.Namespace, Status: r.Status, Image: r.Image, History: r.History, Now: r.Updated, Reason: s.reason(),
	}
	switch {
	case r.Status.Halted:
		snap.Outcome = rollout.Halted
	case r.Status.Phase == rollout.Succeeded:
		snap.Outcome = rollout.Promoted
	case r.Status.Phase == rollout.Failed:
		snap.Outcome = rollout.RolledBack
	case r.Status.Phase == rollout.Terminated:
		snap.Outcome = rollout.Uninstalled
	}
	return snap
}

// gate tells what a rollout waits for, and what people can do about it.
func (b Board) gate(s *Standing) *boardGate {
	st := &s.Record.Status
	g := &boardGate{Name: short(Clean(cmp.Or(s.gate(), "a gate")), boardName)}
	if !st.GateSince.IsZero() {
		g.Since = age(st.GateSince, b.Now)
	}
	if !st.Suspended.IsZero() {
		g.Sleep = "No run is at work meanwhile: it was suspended " + age(st.Suspended, b.Now) + " ago, and the next run goes on from here."
		g.Until = b.deadline(st.Until)
	}
	if s.Gate == nil {
		return g
	}
	g.Who, g.Command = clip(Clean(s.Gate.Who), boardText*2), Clean(s.Gate.Command)
	g.Until = cmp.Or(b.deadline(s.Gate.Until), g.Until)
	for _, lacks := range s.Lacks {
		g.Lacks = append(g.Lacks, short(Clean(lacks), boardText))
	}
	if n := s.Notice; n != nil {
		g.Where, g.WhereURL = changeOf(n, s.Record.RunURL)
	}
	return g
}

func (b Board) deadline(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	left := t.Sub(b.Now)
	if left <= 0 {
		return t.UTC().Format("2006-01-02 15:04 MST") + ", which is over"
	}
	return t.UTC().Format("2006-01-02 15:04 MST") + ", in " + seconds(left)
}

// changeOf names the pull or merge request that a gate belongs to. Its address is that of the run's forge, and is left out
// when the run's address is not one of the same repository.
func changeOf(n *approval.Notice, runURL string) (text, address string) {
	sign, path := "#", "/pull/"
	if n.Gate.Platform == approval.GitLab {
		sign, path = "!", "/-/merge_requests/"
	}
	text = fmt.Sprintf("%s%s%d", short(Clean(n.Path), boardName), sign, n.Gate.Change)
	run, err := url.Parse(link(runURL))
	if err != nil || run.Host == "" || !strings.HasPrefix(run.Path, "/"+n.Path+"/") {
		return text, ""
	}
	to := url.URL{Scheme: run.Scheme, Host: run.Host, Path: "/" + n.Path + fmt.Sprintf("%s%d", path, n.Gate.Change)}
	return text, link(to.String())
}
