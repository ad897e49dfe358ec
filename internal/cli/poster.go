package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// poster publishes the pages of one canary.
type poster struct {
	bulletin  *bulletin
	publisher *forge.Publisher
	dir       string // of the report's files; empty when none are written

	mu   sync.Mutex
	over *report.Ended // set when the run ended with an error
	last report.Snapshot
	gate func() *report.Gate // what waits for people; nil before the run has begun and without approvals
}

// poster opens the pages of a canary. Close must be called. Of several canaries, each has its files in a directory of its own.
func (b *bulletin) poster(ctx context.Context, c *canary.Canary, alone bool) *poster {
	p := &poster{bulletin: b, publisher: forge.NewPublisher(ctx, b.surfaces(ctx, c)...), dir: b.in.ReportDir}
	if p.dir != "" && !alone {
		p.dir = filepath.Join(p.dir, c.Namespace+"-"+c.Name)
	}
	p.last.Namespace, p.last.Canary, p.last.Provider = c.Namespace, c.Name, c.Spec.Provider
	return p
}

// Report implements runner.Reporter. It never waits.
func (p *poster) Report(_ context.Context, u runner.Update) {
	p.mu.Lock()
	p.last = u.Snapshot
	p.mu.Unlock()
	p.publisher.Publish(p.page(&u.Snapshot))
}

// links are what people can open of the run, the job first. It never waits.
func (p *poster) links(over bool) []notify.Link {
	var links []notify.Link
	for _, l := range p.forgeLinks(over) {
		links = append(links, notify.Link{Name: l.Name, URL: l.URL})
	}
	return links
}

func (p *poster) forgeLinks(over bool) []forge.Link {
	b := p.bulletin
	if b.ci.RunURL == "" {
		return nil
	}
	links := []forge.Link{{Name: "Job", URL: b.ci.RunURL}}
	if p.publisher != nil {
		links = append(links, p.publisher.Links()...)
	}
	if url := b.ci.ArtifactURL(filepath.ToSlash(filepath.Join(p.dir, "report.html"))); p.dir != "" && url != "" {
		name := "Report"
		if !over {
			name = "Report, once the job is over"
		}
		links = append(links, forge.Link{Name: name, URL: url})
	}
	if url := b.ci.RequestURL(); url != "" && !slices.ContainsFunc(links, func(l forge.Link) bool { return strings.HasPrefix(l.URL, url) }) {
		links = append(links, forge.Link{Name: "Request", URL: url})
	}
	if b.ci.EnvironmentURL != "" {
		links = append(links, forge.Link{Name: "Environment", URL: b.ci.EnvironmentURL})
	}
	return links
}

// gated shows the gates at which people approve.
func (p *poster) gated(a *gate.Approvals) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = a.Gate
}

// waits is the gate at which a rollout waits for people, or nil.
func (p *poster) waits(s *report.Snapshot) *report.Gate {
	p.mu.Lock()
	ask := p.gate
	p.mu.Unlock()
	suspended := s.Outcome == rollout.Suspended && !s.Status.Suspended.IsZero() // what is said counts for the next run
	if ask == nil || s.Status.Gate == "" || s.Outcome != rollout.Running && !suspended {
		return nil
	}
	if g := ask(); g != nil && g.Name == string(s.Status.Gate) {
		return g
	}
	return nil
}

// page is a snapshot as the platform shows it.
func (p *poster) page(s *report.Snapshot) forge.Page {
	ci := &p.bulletin.ci
	return forge.Page{
		Title: report.Title(*s),
		Body:  report.Markdown(*s, report.MarkdownOptions{Platform: string(ci.Platform), RunURL: ci.RunURL, Gate: p.waits(s), Ended: p.over}),
		State: stateOf(s), Final: s.Outcome != rollout.Running,
	}
}

// stateOf is how a rollout stands, in the words of a forge.
func stateOf(s *report.Snapshot) forge.State {
	switch s.Outcome {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Uninstalled:
		return forge.Success
	case rollout.RolledBack, rollout.Halted:
		if s.Status.Reason.Code == rollout.GateExpired {
			return forge.TimedOut
		}
		return forge.Failure
	case rollout.Cancelled:
		return forge.Cancelled
	case rollout.Suspended:
		if !s.Status.Suspended.IsZero() { // at a gate, which waits for somebody
			return forge.ActionRequired
		}
		return forge.Neutral
	case rollout.Superseded:
		return forge.Neutral
	case rollout.Gated:
		return forge.ActionRequired
	}
	if s.Status.Gate != "" {
		return forge.ActionRequired
	}
	return forge.InProgress
}

// close lands the last page everywhere. A run that did not come to an end says why.
func (p *poster) close(ctx context.Context, err error) {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	cancelled := last.Outcome == rollout.Cancelled
	if err != nil && last.Outcome == rollout.Running {
		state := forge.Error
		p.over, state = ended(err)
		cancelled = state == forge.Cancelled
		page := p.page(&last)
		page.Title, page.State, page.Final = p.over.Title+": "+report.Clean(p.over.Why), state, true
		p.publisher.Publish(page)
	}
	ctx, cancel := p.bulletin.deadline(ctx, cancelled)
	defer cancel()
	for _, warning := range p.publisher.Close(ctx) {
		p.bulletin.app.warn(fmt.Errorf("%s/%s: %w", last.Namespace, last.Canary, warning))
	}
}

// ended says what an error means for the rollout, and what to do.
func ended(err error) (*report.Ended, forge.State) {
	e := report.Ended{Title: "could not finish", Why: err.Error(), Next: "The state is kept: run the job again, and it takes the rollout up where it stands."}
	var exit *exitError
	if !errors.As(err, &exit) {
		return &e, forge.Error
	}
	switch exit.code {
	case ExitCancelled:
		e.Title, e.Next = "cancelled before it began", "Run the job again when the rollout is wanted after all."
		return &e, forge.Cancelled
	case ExitBadInput:
		e.Title, e.Next = "nothing was touched", "Mend what is named above, then run the job again."
		return &e, forge.Failure
	case ExitSuperseded:
		e.Title, e.Next = "superseded before it began", "Look at the run that has taken over."
		return &e, forge.Neutral
	}
	return &e, forge.Error
}

// skip says that a canary of several was never started.
func (p *poster) skip(why string) {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	page := p.page(&last)
	page.Title, page.State, page.Final = "skipped: "+report.Clean(why), forge.Neutral, true
	p.publisher.Publish(page)
}

// abandon ends the publishing of a canary whose pages are another run's.
func (p *poster) abandon(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_ = p.publisher.Close(ctx)
}
