package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/traffic"
)

func (a *App) lintCommand() *cobra.Command {
	in := &lintInputs{}
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check canary files, and with --cluster all that a run needs",
		Long: `Check Canary, MetricTemplate, AlertProvider and Comparison files without a cluster: fields, types, values and
combinations, whether the traffic router can do what the strategy asks for, and whether every metric query parses.
All problems of all files are listed at once.

With --cluster, everything is looked for that a run will need, and listed in one table with what to do about what is
missing: permissions, also those that --reach takes, CRDs, the target and its route, each metric with its present value,
whether the server of each webhook answers, and what the token of the job may read. Nothing is changed, and no webhook is called.

Exit codes: 0 no problem, 2 problems, 3 something could not be looked at.`,
		Example: `  penstock lint deploy/
  penstock lint deploy/canary.yaml --cluster -n shop`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.lint(cmd.Context(), in, args)
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (a *App) lint(ctx context.Context, in *lintInputs, args []string) error {
	if err := parseOutput(in.Output); err != nil {
		return err
	}
	if in.Output != "" && !in.Cluster {
		return badInput(fmt.Errorf("output: %q is for --cluster", in.Output))
	}
	if in.Reach != "auto" && !in.Cluster {
		return badInput(fmt.Errorf("reach: %q is for --cluster", in.Reach))
	}
	err := a.lintFiles(ctx, in, args)
	if in.CodeQuality == "" {
		return err
	}
	return errors.Join(err, a.writeCodeQuality(in.CodeQuality, err))
}

// writeCodeQuality writes those problems of files that stand at a line to a report of GitLab.
func (a *App) writeCodeQuality(path string, problems error) error {
	var findings []forge.Finding
	if problems != nil {
		findings = a.findings(problems.Error())
	}
	text, err := forge.CodeQuality(findings)
	if err == nil {
		err = writeWhole(path, text)
	}
	if err != nil {
		return badInput(fmt.Errorf("code-quality: %w", err))
	}
	return nil
}

// lintFiles returns all problems of the files.
func (a *App) lintFiles(ctx context.Context, in *lintInputs, args []string) error {
	set, err := a.read(args)
	if err != nil {
		return err
	}
	if in.Cluster {
		return a.lintCluster(ctx, in, &set)
	}
	provider := in.Provider
	var problems []error
	var unrouted []string
	for _, c := range set.Canaries {
		templates := func(namespace, name string) (*canary.MetricTemplate, bool) {
			for _, t := range set.Templates {
				if t.Name == name && (t.Namespace == namespace || t.Namespace == "" || namespace == "") {
					return t, true
				}
			}
			return nil, false
		}
		if guess, err := traffic.Detect(c, traffic.Cluster{}); c.Spec.Provider == "" && provider == "" && err == nil && guess.Provider != "kubernetes" {
			c.Spec.Provider = guess.Provider // the canary's own fields say it
		}
		p, err := compile(c, planInputs{provider: provider, templates: templates, comparisons: set.ComparisonsOf(c), offline: true, providers: providersOf(&set, c)})
		if err != nil {
			problems = append(problems, errors.Unwrap(err))
		}
		if p.canary.Spec.Provider == "" {
			unrouted = append(unrouted, c.Name)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return badInput(err)
	}
	for _, name := range unrouted {
		_, err = fmt.Fprintf(a.Stdout, "canary %q: spec.provider is not given, so what depends on the router was not checked; "+
			"a run finds it out on the cluster, and --provider names one\n", name)
		if err != nil {
			return err
		}
	}
	compared := ""
	if n := len(set.Comparisons); n > 0 {
		compared = ", " + counted(n, "comparison", "comparisons")
	}
	_, err = fmt.Fprintf(a.Stdout, "%s, %s, %s%s: no problem found\n",
		counted(len(set.Canaries), "canary", "canaries"), counted(len(set.Templates), "metric template", "metric templates"),
		counted(len(set.Providers), "alert provider", "alert providers"), compared)
	return err
}

// providersOf looks an AlertProvider up in the files. One that they lack may be in the cluster, so that nothing is said of a
// canary that names such a one.
func providersOf(set *canary.Set, c *canary.Canary) notify.Lookup {
	found := func(ref canary.ObjectRef) *canary.AlertProvider {
		for _, p := range set.Providers {
			if p.Name == ref.Name && (p.Namespace == ref.Namespace || p.Namespace == "" || ref.Namespace == "") {
				return p
			}
		}
		return nil
	}
	if c.Spec.Analysis != nil {
		for _, alert := range c.Spec.Analysis.Alerts {
			if found(c.Locate(alert.ProviderRef)) == nil {
				return nil
			}
		}
	}
	return found
}

func counted(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}
