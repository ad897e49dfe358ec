package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/exporter"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/loadtest"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/server"
)

// serveTaskGrace is how long load tests that are told to end are waited for. Their processes are killed before that.
const serveTaskGrace = 5 * time.Second

func (a *App) serveCommand() *cobra.Command {
	in := &serveInputs{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive approvals by webhooks, and serve Flagger's gates and load tester",
		Long: `Receive the webhooks of GitHub and GitLab (/webhooks/github, /webhooks/gitlab): a comment such as /canary approve opens
the gate of a run with --approvals server at once. Serve the gate API of Flagger's load tester, with gates that
outlive the process, and with --load-tester its tasks. Without a secret no webhook is received.

Watch over the rollouts of the namespaces that are served: one whose run has died, or that was suspended for too long, is
brought to a safe end by the policy of its run, as penstock finalize --expired does.

Everything is kept in ConfigMaps of the namespaces that are served, so that several replicas share it; with --data, gates
and webhooks that came are kept in a file. A signal ends the server: it waits for what is under way, at most 10s.

Exit codes: 0 ended as it was told to; 2 bad input, nothing was opened; 3 could not go on.`,
		Example: `  penstock serve --serve-namespace shop --github-secret-file hook.txt --repository github:123 \\
    --github-app-id 42 --github-app-key-file app.pem
  penstock serve --address :8080 --serve-namespace shop --gate-token-file /etc/penstock/token
  penstock serve --address 127.0.0.1:8080 --data gates.db --load-tester`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.serve(cmd.Context(), in)
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (a *App) serve(ctx context.Context, in *serveInputs) error {
	s, err := in.parse(a)
	if err != nil {
		return badInput(err)
	}
	store, closeStore, err := a.openGates(ctx, in.clusterInputs, s)
	if err != nil {
		return err
	}
	defer closeStore()
	tester, stopTasks, err := s.openTester(ctx)
	if err != nil {
		return badInput(fmt.Errorf("load-tester: %w", err))
	}
	defer stopTasks()
	on, err := exporter.Listen(ctx, s.address)
	if err != nil {
		return badInput(fmt.Errorf("address: %w", err))
	}
	page := s.openPage()
	s.gates = &server.Gates{Store: store, Tokens: s.tokens, Serves: s.serves, Log: s.log}
	mount := func(r chi.Router) {
		s.gates.Mount(r)
		if tester != nil {
			tester.Mount(r)
		}
		if page != nil {
			page.Mount(r)
		}
	}
	if s.guard, err = a.watchdog(ctx, s); err != nil {
		return errors.Join(err, on.Close())
	}
	l, err := a.listens(ctx, s, server.Config{Listener: on, Log: s.log, Mount: mount, Linger: s.linger})
	if err != nil {
		return errors.Join(err, on.Close())
	}
	if page != nil || s.resumer != nil {
		l = shown{l, page, func(ctx context.Context) { s.showRollouts(ctx, s.audience(page)) }}
	}
	s.started(on.Addr())
	return s.run(ctx, a.Stop, guarded{l, s.guard})
}

// listener answers requests until ctx ends, and then those that are under way.
type listener interface {
	Run(ctx context.Context) error
}

// listens returns what answers the requests, with webhooks or without.
func (a *App) listens(ctx context.Context, s *serving, config server.Config) (listener, error) {
	if s.hooks.used() {
		return a.receive(ctx, s, config)
	}
	config.NoWebhooks = true
	quiet, err := server.New(config)
	if err != nil {
		return nil, badInput(err)
	}
	return quiet, nil
}

// started says what is served, and what is open to everybody.
func (s *serving) started(address net.Addr) {
	kept, namespaces := "in the cluster", s.namespaces
	if s.data != "" {
		kept = s.data
	}
	if len(namespaces) == 0 {
		namespaces = []string{"all"}
	}
	s.log.Info("serving", "address", address.String(), "gates", kept, "namespaces", namespaces, "load-tester", s.tester != nil,
		"watchdog", s.watchdog && s.client != nil, "page", s.pageWord())
	if s.page != nil && s.page.Open {
		s.log.Warn("whoever reaches this address can see the rollouts; --page token asks for a token")
	}
	if len(s.tokens) == 0 {
		s.log.Warn("whoever reaches this address can open and close gates; --gate-token asks for a token")
	}
}

// pageWord says who can see the page.
func (s *serving) pageWord() string {
	switch {
	case s.page == nil:
		return "off"
	case s.page.Open:
		return "on"
	case len(s.page.Tokens) == 0:
		return "off, since there is no token"
	}
	return "token"
}

func (s *serving) serves(namespace string) bool {
	return len(s.namespaces) == 0 || slices.Contains(s.namespaces, namespace)
}

// run serves until the program is asked to end.
func (s *serving) run(ctx context.Context, stop <-chan struct{}, l listener) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		select {
		case <-stop:
			end()
		case <-ctx.Done():
		}
	}()
	if err := l.Run(ctx); err != nil {
		return unfinished(fmt.Errorf("serve: %w", err))
	}
	s.log.Info("ended")
	return nil
}

// openGates opens what keeps the gates, and asks whether it may be written to.
func (a *App) openGates(ctx context.Context, in clusterInputs, s *serving) (server.GateStore, func(), error) {
	if s.data == "" || s.hooks.used() {
		client, err := a.connect(in)
		if err != nil {
			return nil, nil, err
		}
		if s.client = client; len(s.namespaces) == 0 {
			s.namespaces = []string{client.Namespace}
		}
	}
	if s.data != "" {
		file, err := server.OpenFile(s.data)
		if err != nil {
			return nil, nil, badInput(fmt.Errorf("data: %w", err))
		}
		s.file = file
		return file, func() {
			if err := file.Close(); err != nil {
				s.log.Error("the file was not closed", "error", err)
			}
		}, nil
	}
	var problems []error
	for _, namespace := range s.namespaces {
		problems = append(problems, s.client.Require(ctx, manifest.Gates(namespace)))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, nil, classify(err)
	}
	return kube.NewGateStore(s.client), func() {}, nil
}

// openTester returns the task API, or nil when there is none. What it returns beside ends the tasks.
func (s *serving) openTester(ctx context.Context) (*server.Tasks, func(), error) {
	if s.tester == nil {
		return nil, func() {}, nil
	}
	options := *s.tester
	options.Done = func(r loadtest.Result) { logTask(s.log, r) }
	options.Undone = func(p loadtest.Payload, err error) {
		s.log.Error("a task could not be done", "canary", p.Namespace+"/"+p.Name, "error", err.Error())
	}
	tester, err := loadtest.New(options)
	if err != nil {
		return nil, nil, err
	}
	tasks, cancel := context.WithCancel(context.WithoutCancel(ctx)) // they outlive the order to end, and are ended after the requests
	return &server.Tasks{Handler: tester.Handler(tasks), Tokens: s.tokens}, func() {
		cancel()
		ended := make(chan struct{})
		go func() { tester.Wait(); close(ended) }()
		timer := time.NewTimer(serveTaskGrace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
			s.log.Warn("some load tests have not ended and are left to themselves", "after", serveTaskGrace)
		}
	}, nil
}

// logTask says what has become of a task. What it has written is logged if the task asks for that.
func logTask(log *slog.Logger, r loadtest.Result) {
	about := []any{"canary", r.Namespace + "/" + r.Name, "task", r.Task, "took", r.Elapsed}
	if r.Message != "" {
		about = append(about, "message", r.Message)
	}
	if r.Log && r.Output != "" {
		about = append(about, "output", r.Output)
	}
	if !r.Passed {
		log.Warn("a task has failed", about...)
		return
	}
	log.Info("a task has passed", about...)
}
