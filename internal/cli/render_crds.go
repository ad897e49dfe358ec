package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// crdInputs are the inputs of render crds.
type crdInputs struct {
	Kinds  []string `input:"kind" help:"Canary, MetricTemplate or AlertProvider: the definition to print; may be repeated"`
	Output string   `input:"output" short:"o" default:"yaml" help:"yaml or json"`
}

func (a *App) renderCRDsCommand() *cobra.Command {
	in := &crdInputs{}
	cmd := &cobra.Command{
		Use:   "crds [--kind KIND]...",
		Short: "Print custom resource definitions, of which a run needs none",
		Long: `Print the definitions of Canary, MetricTemplate and AlertProvider as Penstock knows them. A run reads its canary from
files and needs no definition in the cluster; with the one of Canary, and the object applied, kubectl get canary shows the
rollout. Where Flagger is or was installed, its definitions are there already: keep them.`,
		Example: `  penstock render crds --kind Canary | kubectl apply -f -`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.renderCRDs(in)
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (a *App) renderCRDs(in *crdInputs) error {
	var problems []error
	if err := checkRendered(in.Output); err != nil {
		problems = append(problems, err)
	}
	var objects []manifest.Object
	for _, kind := range in.Kinds {
		object, err := manifest.RenderCRD(kind)
		if err != nil {
			problems = append(problems, fmt.Errorf("kind: %w", err))
		}
		objects = append(objects, object)
	}
	if len(problems) > 0 {
		return badInput(errors.Join(problems...))
	}
	if len(objects) == 0 {
		_, err := fmt.Fprintln(a.Stderr, "A run needs no custom resource definition: it reads its canary from files. Flagger's own three serve where they are;\n"+
			"without them, --kind Canary prints one, so that kubectl get canary shows rollouts.")
		return err
	}
	return a.printObjects(objects, in.Output)
}

// checkRendered checks the --output of what is rendered.
func checkRendered(output string) error {
	if output != "yaml" && output != "json" {
		return fmt.Errorf("output: %q is not known; allowed are yaml and json", output)
	}
	return nil
}
