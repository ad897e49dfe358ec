// Package cli is the command line: subcommands, inputs and exit codes. It wires the engines together and decides nothing.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// The exit codes.
const (
	ExitOK         = 0   // promoted, initialised, nothing to do, or suspended
	ExitRolledBack = 1   // rolled back or rejected
	ExitBadInput   = 2   // every problem was listed and nothing was touched
	ExitUnfinished = 3   // could not finish; the state is kept and a re-run resumes
	ExitSuperseded = 4   // a newer run has taken over
	ExitCancelled  = 130 // cancelled, after the safe end
)

// App is one invocation of the program.
type App struct {
	Version string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  *os.File // a terminal gets the live view
	Getenv  func(string) string
	Stop    <-chan struct{} // closed when the program is asked to end

	warned func(error) // told in place of Stderr what goes wrong beside a run; nil in a program of one run
}

// exitError ends the program with a code, and says why unless that was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// badInput marks an error as the user's to mend.
func badInput(err error) error { return &exitError{ExitBadInput, err} }

// plain takes the mark off, of an error that is to be told together with others.
func plain(err error) error {
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return exit.err
	}
	return err
}

// unfinished marks an error that kept the rollout from its end.
func unfinished(err error) error { return &exitError{ExitUnfinished, err} }

// Run runs the command line and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	code := codeOf(err)
	if text := err.Error(); text != "" {
		a.annotate(code, err)
		a.say("penstock: " + strings.ReplaceAll(text, "\n", "\n  ") + "\n")
	}
	return code
}

// codeOf is the exit code that an error stands for.
func codeOf(err error) int {
	exit := (*exitError)(nil)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return exit.code
	}
	return ExitBadInput // what cobra itself refuses is input
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "penstock",
		Short: "Progressive delivery that runs inside CI",
		Long: "Penstock runs a canary rollout on Kubernetes from start to finish and exits with its verdict.\n" +
			"It reads the resources that Flagger users have: flagger.app/v1beta1 Canary, MetricTemplate, AlertProvider.",
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.AddCommand(a.runCommand(), a.finalizeCommand(), a.serveCommand(), a.rehearseCommand(), a.lintCommand(), a.statusCommand(), a.renderCommand(), a.versionCommand())
	root.AddCommand(a.operatorCommands()...)
	return root
}

func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.Stdout, "penstock "+a.Version)
			return err
		},
	}
}

// exitCode is the verdict on the revision as an exit code.
func exitCode(o rollout.Outcome) int {
	switch o {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Suspended, rollout.Gated, rollout.Uninstalled:
		return ExitOK
	case rollout.RolledBack, rollout.Halted:
		return ExitRolledBack
	case rollout.Superseded:
		return ExitSuperseded
	case rollout.Cancelled:
		return ExitCancelled
	case rollout.Running:
	}
	return ExitUnfinished
}
