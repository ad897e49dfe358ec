package cli

import (
	"github.com/spf13/cobra"
)

func (a *App) renderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Print what a cluster admin applies",
		Long: `Print what a cluster admin applies before a run, as YAML to review and to keep in a repository. No cluster is asked
and nothing is applied.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(a.renderRBACCommand(), a.renderCRDsCommand(), a.renderServerCommand())
	return cmd
}
