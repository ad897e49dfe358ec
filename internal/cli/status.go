package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
)

// statusInputs are the inputs of status. The names are kubectl's.
type statusInputs struct {
	clusterInputs
	AllNamespaces bool   `input:"all-namespaces" short:"A" help:"the canaries of all namespaces"`
	Output        string `input:"output" short:"o" help:"json, yaml or wide"`
	Watch         bool   `input:"watch" short:"w" help:"go on and print a line whenever something has changed"`
	NoHeaders     bool   `input:"no-headers" help:"leave the line with the names of the columns out"`
}

func (a *App) statusCommand() *cobra.Command {
	in := &statusInputs{}
	cmd := &cobra.Command{
		Use:   "status [CANARY]",
		Short: "Show where rollouts are, from the cluster",
		Long: `Show where rollouts are. All that is shown is read from the cluster, where a run keeps it, so no file is needed.

Without a name, a line for each canary of the namespace; with a name, a page with its steps, checks, gate and history.
RUN says whether a run is at work now. Exit codes: 0 shown, 2 bad input or no such canary, 3 the cluster does not answer.`,
		Example: `  penstock status -n shop
  penstock status podinfo -n shop
  penstock status -A -o wide
  penstock status podinfo -n shop --watch`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeCanaries(&in.clusterInputs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.status(cmd.Context(), in, append(args, "")[0])
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (in *statusInputs) check(name string) error {
	var problems []error
	switch in.Output {
	case "", "wide", "json", "yaml":
	default:
		problems = append(problems, fmt.Errorf("output: %q is not known; allowed are json, yaml and wide", in.Output))
	}
	if in.AllNamespaces && name != "" {
		problems = append(problems, fmt.Errorf("all-namespaces: not with the name of a canary, %q; a name belongs to one namespace", name))
	}
	return badInputs(problems)
}

// badInputs lists problems as one error, or returns nil when there is none.
func badInputs(problems []error) error {
	if err := errors.Join(problems...); err != nil {
		return badInput(err)
	}
	return nil
}

func (a *App) status(ctx context.Context, in *statusInputs, name string) error {
	if err := in.check(name); err != nil {
		return err
	}
	client, err := a.connect(in.clusterInputs)
	if err != nil {
		return err
	}
	of := kube.Whose{Namespace: client.Namespace, Canary: name}
	if in.AllNamespaces {
		of.Namespace = ""
	}
	now := clock.RealClock{}
	all, err := client.Standings(ctx, of, now.Now())
	if err != nil {
		return classify(err)
	}
	if name != "" && len(all) == 0 && !in.Watch {
		return badInput(fmt.Errorf("canary %q: no run has kept anything about it in namespace %q", name, of.Namespace))
	}
	if in.Watch {
		return a.watchStatus(ctx, in, client, of)
	}
	text, err := a.statusText(in, all, of, now)
	if err != nil {
		return unfinished(err)
	}
	if len(all) == 0 && in.Output != "json" && in.Output != "yaml" {
		a.say("No rollouts found in " + namespaceWords(of.Namespace) + ".\n")
		return nil
	}
	_, err = io.WriteString(a.Stdout, text)
	return err
}

// printed is what standard output can show. It is in colour only on a terminal.
func (a *App) printed() report.Look {
	if out, file := a.Stdout.(*os.File); file {
		return ScreenOf(out, a.Getenv).Look
	}
	return report.Look{Width: logWidth}
}

func namespaceWords(namespace string) string {
	if namespace == "" {
		return "any namespace"
	}
	return report.Clean(namespace) + " namespace"
}

// statusText is what is printed once.
func (a *App) statusText(in *statusInputs, all []report.Standing, of kube.Whose, now clock.PassiveClock) (string, error) {
	single := of.Canary != ""
	switch {
	case in.Output == "json":
		text, err := report.StandingsJSON(all, single)
		return string(text), err
	case in.Output == "yaml":
		text, err := report.StandingsYAML(all, single)
		return string(text), err
	case single && in.Output == "" && len(all) == 1:
		return a.printed().Describe(all[0], now.Now()), nil
	}
	return report.RenderStandings(all, in.columns(of, now)), nil
}

func (in *statusInputs) columns(of kube.Whose, now clock.PassiveClock) report.ListOptions {
	return report.ListOptions{Namespaces: of.Namespace == "", Wide: in.Output == "wide", NoHeaders: in.NoHeaders, Now: now.Now()}
}

// watcher remembers what was printed of each canary, so that only what has changed is printed again.
type watcher struct {
	in      *statusInputs
	of      kube.Whose
	now     clock.Clock
	printed map[[2]string]string
	headed  bool

	nameWidth int
}

func (a *App) watchStatus(ctx context.Context, in *statusInputs, client *kube.Client, of kube.Whose) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.Stop:
			cancel() // Ctrl-C is how a watch ends
		case <-ctx.Done():
		}
	}()
	w := &watcher{in: in, of: of, now: clock.RealClock{}, printed: map[[2]string]string{}, headed: in.NoHeaders}
	err := client.WatchStandings(ctx, kube.StandingWatch{Whose: of, Clock: w.now, See: func(all []report.Standing) error {
		text, err := w.news(all)
		if err == nil && text != "" {
			_, err = io.WriteString(a.Stdout, text)
		}
		return err
	}})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return classify(err)
}

// news is what has changed: lines, or documents one after the other.
func (w *watcher) news(all []report.Standing) (string, error) {
	text := ""
	for i := range all {
		w.nameWidth = max(w.nameWidth, len(all[i].Canary))
	}
	for i := range all {
		one, key := all[i:i+1], [2]string{all[i].Namespace, all[i].Canary}
		said, err := w.lasting(all[i])
		if err != nil {
			return "", err
		}
		if w.printed[key] == said {
			continue
		}
		w.printed[key] = said
		var document []byte
		switch w.in.Output {
		case "json":
			document, err = report.StandingsJSON(one, true)
		case "yaml":
			document, err = report.StandingsYAML(one, true)
			document = append([]byte("---\n"), document...)
		default:
			columns := w.in.columns(w.of, w.now)
			columns.NoHeaders, columns.Steady, columns.NameWidth = w.headed, true, w.nameWidth
			document, w.headed = []byte(report.RenderStandings(one, columns)), true
		}
		if err != nil {
			return "", err
		}
		text += string(document)
	}
	return text, nil
}

// lasting is what would be printed of a canary, without what changes with the time alone.
func (w *watcher) lasting(s report.Standing) (string, error) {
	if w.in.Output == "" || w.in.Output == "wide" {
		return report.RenderStandings([]report.Standing{s}, report.ListOptions{NoHeaders: true, Wide: w.in.Output == "wide"}), nil
	}
	s.HeldUntil = time.Time{} // renewed every few seconds
	text, err := report.StandingsJSON([]report.Standing{s}, true)
	return string(text), err
}

// completeCanaries completes the names of the canaries that the cluster knows.
func (a *App) completeCanaries(in *clusterInputs) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 || fromEnvironment(cmd.Flags(), a.Getenv) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		client, err := a.connect(*in)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		now := clock.RealClock{}
		all, err := client.Standings(cmd.Context(), kube.Whose{Namespace: client.Namespace}, now.Now())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		names := make([]cobra.Completion, 0, len(all))
		for i := range all {
			names = append(names, cobra.CompletionWithDesc(all[i].Canary, string(all[i].Record.Status.Phase)))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
