package forge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/google/go-github/v60/github"
)

// descriptionLimit is the longest description of a deployment and its statuses, in characters.
const descriptionLimit = 140

// deployment is the one of the job: the event's, or one made for the run. All canaries of the run share it, and it
// fails if one of them does. Each status stays in its list for ever, so that only a change of state is worth one; the
// progress within a state is for the check run.
type deployment struct {
	g *GitHub

	mu     sync.Mutex // held during requests: each canary shows its pages in a goroutine of its own
	pages  map[Rollout]Page
	id     int64  // 0 before it is known
	told   status // that it was last told
	unsure bool   // the answer to the last status was lost: it may be there
}

// status is what a deployment is told.
type status struct {
	state, description string
	final              bool
}

// deploymentPart is the part that one canary has in the deployment.
type deploymentPart struct {
	d       *deployment
	rollout Rollout
}

// part registers a canary: the deployment is not over before its final page was shown.
func (d *deployment) part(r Rollout) Surface {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.pages[r]; !ok {
		d.pages[r] = Page{State: Queued}
	}
	return &deploymentPart{d: d, rollout: r}
}

func (p *deploymentPart) Name() string { return "deployment status" }

func (p *deploymentPart) Show(ctx context.Context, page Page) error {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	page.Body = ""
	p.d.pages[p.rollout] = page
	return p.d.g.refused(p.Name(), "`deployments: write`", p.d.show(ctx, p.d.overall(p.rollout)))
}

// overall is the page of all canaries together: the newest while one of them goes on, and then the worst.
func (d *deployment) overall(newest Rollout) Page {
	all := Page{State: Neutral, Final: true}
	worst, queued, waiting := newest, true, false
	for r, p := range d.pages {
		all.Final = all.Final && p.Final
		queued = queued && p.State == Queued
		waiting = waiting || p.State == ActionRequired
		if severity(p.State) > severity(all.State) {
			all.State, worst = p.State, r
		}
	}
	if !all.Final {
		worst = newest
		switch {
		case queued:
			all.State = Queued
		case waiting:
			all.State = ActionRequired
		default:
			all.State = InProgress
		}
	}
	all.Title = d.pages[worst].Title
	if len(d.pages) > 1 {
		all.Title = worst.name() + ": " + all.Title
	}
	return all
}

// severity orders the ends of rollouts. What is no end comes last: ending so is a mistake.
func severity(s State) int {
	ends := []State{Neutral, Success, ActionRequired, Cancelled, TimedOut, Failure, Error}
	if i := slices.Index(ends, s); i >= 0 {
		return i
	}
	return len(ends)
}

func (d *deployment) show(ctx context.Context, p Page) error {
	next := status{state: deploymentState(p), description: line(p.Title, descriptionLimit), final: p.Final}
	if next == d.told || (next.state == d.told.state && !p.Final) {
		return nil
	}
	if err := d.identify(ctx); err != nil {
		return err
	}
	if d.unsure {
		there, err := d.newestIs(ctx, next)
		if err != nil {
			return err
		}
		if there {
			d.told, d.unsure = next, false
			return nil
		}
	}
	err := d.g.call(ctx, "write the deployment status", func(ctx context.Context) error {
		_, _, err := d.g.api.Repositories.CreateDeploymentStatus(ctx, d.g.owner, d.g.repo, d.id, &github.DeploymentStatusRequest{
			State:          &next.state,
			Description:    &next.description,
			LogURL:         optional(d.g.ci.RunURL),
			EnvironmentURL: optional(d.g.ci.EnvironmentURL),
		})
		return err
	})
	// Only an answer, or a limit, says for sure that nothing was written.
	var limited *LimitError
	d.unsure = err != nil && !errors.As(err, &limited) && (statusOf(err) == 0 || statusOf(err) >= http.StatusInternalServerError)
	if err == nil {
		d.told = next
	}
	return err
}

// newestIs reports whether the newest status is this one.
func (d *deployment) newestIs(ctx context.Context, want status) (there bool, err error) {
	err = d.g.call(ctx, "read the deployment's statuses", func(ctx context.Context) error {
		statuses, _, err := d.g.api.Repositories.ListDeploymentStatuses(ctx, d.g.owner, d.g.repo, d.id, &github.ListOptions{PerPage: 1})
		if err == nil && len(statuses) > 0 {
			there = statuses[0].GetState() == want.state && statuses[0].GetDescription() == want.description
		}
		return err
	})
	return there, err
}

// mark is what the payload of a deployment of ours holds, so that the next attempt of the job finds it.
type mark struct {
	Run string `json:"penstock-run"`
}

// identify finds the deployment, or makes it.
func (d *deployment) identify(ctx context.Context) error {
	if d.id != 0 {
		return nil
	}
	if id, err := d.find(ctx); err != nil || id != 0 {
		d.id = id
		return err
	}
	return d.create(ctx)
}

func (d *deployment) find(ctx context.Context) (int64, error) {
	opts := &github.DeploymentsListOptions{SHA: d.g.ci.SHA, Environment: d.g.ci.Environment, ListOptions: github.ListOptions{PerPage: pageSize}}
	for range maxPages {
		var found []*github.Deployment
		var resp *github.Response
		err := d.g.call(ctx, "look for the deployment", func(ctx context.Context) (err error) {
			found, resp, err = d.g.api.Repositories.ListDeployments(ctx, d.g.owner, d.g.repo, opts)
			return err
		})
		if err != nil {
			return 0, err
		}
		for _, one := range found {
			var m mark
			if json.Unmarshal(one.Payload, &m) == nil && m.Run == d.g.ci.Origin() && m.Run != "" {
				return one.GetID(), nil
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return 0, nil
}

func (d *deployment) create(ctx context.Context) error {
	no, none := false, []string{}
	return d.g.call(ctx, "create the deployment", func(ctx context.Context) error {
		made, _, err := d.g.api.Repositories.CreateDeployment(ctx, d.g.owner, d.g.repo, &github.DeploymentRequest{
			Ref:         &d.g.ci.SHA,
			Environment: &d.g.ci.Environment,
			Description: github.String("Progressive delivery"),
			Payload:     mark{Run: d.g.ci.Origin()},
			// Without these two, GitHub may merge the default branch into ours (202), or wait for all checks of the
			// commit to pass (409), and ours is one of them.
			AutoMerge:        &no,
			RequiredContexts: &none,
		})
		if err == nil {
			d.id = made.GetID()
		}
		return err
	})
}

// deploymentState is the nearest that deployments know. A cancelled rollout was rolled back, and is a failure; "inactive"
// says that something else is deployed there.
func deploymentState(p Page) string {
	switch p.State {
	case Queued:
		return "queued"
	case Success:
		if p.Final {
			return "success"
		}
	case Failure, Cancelled, TimedOut:
		return "failure"
	case Error:
		return "error"
	case ActionRequired:
		return "pending"
	case Neutral:
		if p.Final {
			return "inactive"
		}
	case InProgress:
	}
	if p.Final {
		return "error" // an end in a state that is none is a mistake
	}
	return "in_progress"
}
