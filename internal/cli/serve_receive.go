package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/server"
)

// reception receives webhooks and makes decisions of the comments that they are about.
type reception struct {
	*server.Server
	desk    *gate.Desk
	notices *kube.Notices
	app     *forge.GitHubApp // nil without an App
	resumer *gate.Resumer
	log     *slog.Logger
}

// hookForgeTimeout bounds one request to a forge.
const hookForgeTimeout = 10 * time.Second

// Run receives webhooks until ctx ends. What waits for people when it begins is looked at first.
func (r *reception) Run(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { r.notices.Run(watching) })
	working.Go(func() { r.desk.Run(watching) })
	working.Go(func() { r.resumer.Run(watching) })
	if r.app != nil {
		working.Go(func() { r.redeliver(watching) })
	}
	defer working.Wait()
	defer stop()
	return r.Server.Run(ctx)
}

// looker looks at a change when its webhook has come.
type looker struct {
	desk    *gate.Desk
	notices *kube.Notices
	runs    *runs
}

// Look implements server.Looker. Before the notices were read nobody knows who waits for what, so it has to come again.
func (l looker) Look(ctx context.Context, s server.Subject) error {
	select {
	case <-l.notices.Synced():
	case <-ctx.Done():
		return fmt.Errorf("wait for the cluster to say which rollouts wait for people: %w", ctx.Err())
	}
	if s.Run != 0 {
		return l.runs.look(ctx, s)
	}
	return l.desk.Look(ctx, approval.Source{Platform: s.Platform, Repository: s.Repository, Change: s.Change})
}

// receive prepares the server of webhooks. It looks into the cluster, so that what cannot work is said before it listens.
func (a *App) receive(ctx context.Context, s *serving, config server.Config) (*reception, error) {
	if s.client == nil {
		return nil, badInput(errors.New("data: decisions are written to the cluster, where the waiting jobs are; without one no webhook can be received"))
	}
	office, err := s.hooks.access.open(a.Version)
	if err != nil {
		return nil, badInput(err)
	}
	s.employ(office)
	for _, namespace := range s.namespaces {
		if err := s.client.Require(ctx, manifest.ServedNeeds(namespace)); err != nil {
			return nil, classify(err)
		}
	}
	warn := func(err error) { s.log.Warn("comments", "error", err.Error()) }
	notices := kube.NewNotices(s.client, s.namespaces, warn)
	ledger := func(n approval.Notice) gate.Ledger { return notices.Decisions(n) }
	change := func(n approval.Notice) (gate.Forum, error) {
		return office.Change(n.Gate.Platform, n.Path, n.Gate.Change, forge.AskFor(n.Policy))
	}
	desk := gate.NewDesk(gate.DeskConfig{
		Waiting: notices, Ledger: ledger, Change: change, Clock: clock.RealClock{}, Warn: warn,
		Answer: func(n approval.Notice, on gate.Forum) *gate.Answering { return answering(notices, n, on) },
	})
	if s.policy != nil {
		s.gates.Voters = voters{notices, gate.NewKeeper(gate.KeeperConfig{
			Shelf: notices, Ledger: ledger, Change: change, Find: office.Find, Allowed: s.hooks.allows, Prefix: s.prefix, Clock: clock.RealClock{},
			Policy: *s.policy, File: policyOf(office, s.policyPath),
		})}
	}
	config.Store = s.file
	if s.file == nil {
		if err := s.client.Require(ctx, manifest.DeliveryNeeds(s.client.Namespace)); err != nil {
			return nil, classify(err)
		}
		config.Store = server.NewShared(kube.NewDeliveries(s.client, s.client.Namespace), clock.RealClock{})
	}
	config.Looker, config.Grammar = looker{desk, notices, s.runs}, approval.Grammar{Prefix: s.prefix}
	config.AnyRepository = s.hooks.anyRepository
	config.GitHub = server.GitHub{Secrets: secretsOf(s.hooks.github), Repositories: s.hooks.githubIDs, API: s.hooks.access.githubURL}
	config.GitLab = server.GitLab{
		Tokens: secretsOf(s.hooks.gitlab), SigningKeys: secretsOf(s.hooks.gitlabSigning), Repositories: s.hooks.gitlabIDs,
	}
	receiver, err := server.New(config)
	if err != nil {
		return nil, badInput(err)
	}
	return &reception{Server: receiver, desk: desk, notices: notices, app: office.App(), resumer: s.resumer, log: s.log}, nil
}

// policyOf reads the policies of repositories, which have them at a path; nil without one.
func policyOf(office *forge.Office, path string) func(context.Context, approval.Notice) (*approval.Policy, error) {
	if path == "" {
		return nil
	}
	return func(ctx context.Context, n approval.Notice) (*approval.Policy, error) {
		text, there, err := office.File(ctx, forge.Sheet{Platform: n.Gate.Platform, Repository: n.Path, Path: path})
		if err != nil || !there {
			return nil, err
		}
		policy, err := approval.ParsePolicy(text)
		if err != nil {
			return nil, &gate.BadAsk{Err: fmt.Errorf("%s of %s is no policy:\n%w", path, n.Path, err)}
		}
		return &policy, nil
	}
}

// answering is how the server answers questions about a rollout. Of one that Flagger drives the cluster keeps nothing.
func answering(notices *kube.Notices, n approval.Notice, on gate.Forum) *gate.Answering {
	a := &gate.Answering{Speaker: on, Notebook: notices.Decisions(n)}
	if !n.Flagger {
		a.Standing = func(ctx context.Context) (report.Standing, error) {
			return notices.Standing(ctx, n, clock.RealClock{}.Now())
		}
	}
	return a
}

// voters answer the gates of Flagger, once it is known which of them wait.
type voters struct {
	notices *kube.Notices
	keeper  *gate.Keeper
}

// Ask implements server.Voters.
func (v voters) Ask(ctx context.Context, ask canary.GateAsk) (bool, string, error) {
	select {
	case <-v.notices.Synced():
		return v.keeper.Ask(ctx, ask)
	case <-ctx.Done():
		return false, "", fmt.Errorf("wait for the cluster to say which gates wait for people: %w", ctx.Err())
	}
}

// open prepares the ways to the forges. It makes no request.
func (f *forgeAccess) open(version string) (*forge.Office, error) {
	client := httpx.New(httpx.Options{Version: version, Timeout: hookForgeTimeout, MaxBody: forge.MaxBody})
	return forge.NewOffice(forge.OfficeConfig{
		GitHubAPI: f.githubURL, GitHubToken: forge.Token(f.githubToken), GitHubAppID: f.appID, GitHubAppKey: forge.Token(f.appKey),
		GitLabURL: f.gitlabURL, GitLabToken: forge.Token(f.gitlabToken), Client: client,
	})
}

// redeliver asks GitHub once more for the webhooks that did not arrive while rollouts waited. They only make the looks
// sooner: every gate that waits is looked at anyway.
func (r *reception) redeliver(ctx context.Context) {
	select {
	case <-r.notices.Synced():
	case <-ctx.Done():
		return
	}
	var since time.Time
	for _, n := range r.notices.All() {
		if !n.Over && n.Gate.Platform == approval.GitHub && (since.IsZero() || n.Gate.Started.Before(since)) {
			since = n.Gate.Started
		}
	}
	if since.IsZero() {
		return
	}
	count, err := r.app.Redeliver(ctx, since)
	switch {
	case err != nil && ctx.Err() == nil:
		r.log.Warn("webhooks that did not arrive are not asked for again", "error", err.Error())
	case count > 0:
		r.log.Info("asked GitHub to deliver webhooks again", "webhooks", count)
	}
}

func secretsOf(texts []string) []server.Secret {
	var all []server.Secret
	for _, text := range texts {
		all = append(all, server.Secret(text))
	}
	return all
}
