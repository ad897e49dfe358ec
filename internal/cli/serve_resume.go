package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// starts is how a server starts the runs that take up suspended rollouts.
type starts struct {
	s      *serving
	office *forge.Office
}

// employ lets everybody who needs the forges reach them.
func (s *serving) employ(office *forge.Office) {
	if s.guard != nil {
		s.guard.office, s.guard.refuse = &officeOf{office, s.hooks.allows}, starts{s, office}.refuse
	}
	s.resumer = s.newResumer(office)
	s.runs = &runs{starts: starts{s, office}, standings: map[string][]report.Standing{}, waited: map[string]bool{}}
}

// newResumer prepares what starts runs.
func (s *serving) newResumer(office *forge.Office) *gate.Resumer {
	st := starts{s, office}
	c := gate.ResumerConfig{
		Marks: st, Starter: st.starter, Tell: st.tell, Clock: clock.RealClock{},
		Warn: func(canary string, err error) {
			s.log.Warn("resume", "canary", report.Clean(canary), "error", report.Clean(err.Error()))
		},
		Say: func(canary, text string) { s.log.Info(text, "canary", report.Clean(canary)) },
	}
	if s.guard != nil {
		c.End = s.guard.reject
	}
	return gate.NewResumer(c)
}

// Resume implements gate.Marks.
func (st starts) Resume(ctx context.Context, namespace, canary string, change func(rollout.Record, rollout.Resumption) rollout.Resumption) error {
	return st.s.client.Resume(ctx, kube.Whose{Namespace: namespace, Canary: canary}, change)
}

// starter returns what starts the run of a rollout, by what the run that has suspended it has kept; nil when a person does.
// Whoever may write one record must not start anything in a repository that the server does not serve, nor in another one
// than people were asked in.
func (st starts) starter(s *report.Standing, why string) (forge.Starter, error) {
	u, err := readKept(s.Namespace, s.Canary, &s.Record)
	if err != nil {
		return nil, err
	}
	of, ci := s.Notice.Gate.Source, &u.job.CI
	if u.resume != (forge.Means{}) && (approval.Platform(ci.Platform) != of.Platform || ci.RepositoryID != of.Repository) {
		return nil, errors.New("the job that suspended it is of another repository than the one in which people were asked")
	}
	u.job.CI.Request = int(of.Change) // which not every event of the job has known
	return st.of(&u, &s.Record, why)
}

// of returns what starts the run of a plan.
func (st starts) of(u *unkept, record *rollout.Record, why string) (forge.Starter, error) {
	if u.resume == (forge.Means{}) {
		return nil, nil //nolint:nilnil // a person starts it
	}
	ci := &u.job.CI
	if !st.s.hooks.allows(approval.Platform(ci.Platform), ci.RepositoryID) {
		return nil, fmt.Errorf("number %d of %s is none of those that --repository lists", ci.RepositoryID, ci.Platform.Title())
	}
	return st.office.Starter(forge.Resume{
		Means: u.resume, CI: *ci, Rollout: record.ID, Namespace: u.canary.Namespace, Canary: u.canary.Name, Image: record.Image, Request: int64(ci.Request),
		Trigger: forge.Token(st.s.hooks.access.triggers[ci.RepositoryID]), Comment: why,
	})
}

// refuse tells a job that waits for a suspended rollout that it was ended: it would wait for weeks.
func (st starts) refuse(ctx context.Context, namespace, canary string, record *rollout.Record) error {
	u, err := readKept(namespace, canary, record)
	if err != nil || record.Suspension() == "" {
		return nil //nolint:nilerr // without a plan nobody waits
	}
	starter, err := st.of(&u, record, "")
	if err != nil {
		return err
	}
	if refuser, ok := starter.(forge.Refuser); ok {
		ctx, cancel := context.WithTimeout(ctx, hookForgeTimeout)
		defer cancel()
		return refuser.Refuse(ctx, "The rollout of "+namespace+"/"+canary+" was rolled back: its gate did not open.")
	}
	return nil
}

// tell writes on the change that a person has to start the run.
func (st starts) tell(ctx context.Context, s *report.Standing, problem, byHand string) error {
	n := s.Notice
	change, err := st.office.Change(n.Gate.Platform, n.Path, n.Gate.Change, forge.AskFor(n.Policy))
	if err != nil {
		return err
	}
	is, err := change.Read(ctx)
	if err != nil {
		return err
	}
	if is.Repository != n.Gate.Repository {
		return fmt.Errorf("the repository %s is number %d now, and not %d", n.Path, is.Repository, n.Gate.Repository)
	}
	return change.Reply(ctx, forge.Reply{
		Kind: "resume " + s.Namespace + "/" + s.Canary, Question: time.Now().Unix(), Body: report.ResumeReply(s, problem, byHand),
	})
}
