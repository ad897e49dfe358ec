package cli

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// clusterInputs say which cluster to talk to. The names are kubectl's.
type clusterInputs struct {
	Kubeconfig     string `input:"kubeconfig" help:"path of the kubeconfig; default $KUBECONFIG, ~/.kube/config, or the pod's service account"`
	KubeconfigData string `input:"kubeconfig-data" help:"the kubeconfig itself, as text or in base64, for a CI secret; in place of --kubeconfig"`
	Context        string `input:"context" help:"context of the kubeconfig"`
	Namespace      string `input:"namespace" short:"n" help:"namespace of canaries that name none; default: the context's"`
	credentialInputs
}

// runInputs are the inputs of a run.
type runInputs struct {
	clusterInputs
	policyInputs
	approvalInputs
	fleetInputs
	metricsInputs
	driverInputs
	reachInputs
	loadInputs
	busyInputs
	suspendInputs
	eventInputs
	secretInputs
	forgeInputs
	Canary        string   `input:"canary" help:"name of the canary of the files to run, as the argument CANARY; default: all of them"`
	Files         []string `input:"filename" short:"f" help:"file, directory or glob with the Canary and its templates; - is standard input; may be repeated"`
	Images        []string `input:"image" help:"container=reference: the image to roll out; may be repeated; default: the change that is already in the target"`
	Provider      string   `input:"provider" help:"traffic router of canaries that name none in spec.provider"`
	MetricsServer string   `input:"metrics-server" help:"address of the Prometheus of canaries that name none in spec.metricsServer"`
	Uninstall     bool     `input:"uninstall" help:"give the traffic back to the target and remove what was made for the canary"`
	DryRun        bool     `input:"dry-run" help:"print the plan and what would change in the cluster, and change nothing"`
	Output        string   `input:"output" short:"o" help:"json: print the result as one JSON document on standard output"`
}

// rehearseInputs are the inputs of a rehearsal.
type rehearseInputs struct {
	policyInputs
	loadInputs
	trialInputs
	reportInputs
	Files    []string `input:"filename" short:"f" help:"file, directory or glob with the Canary to rehearse; default: a bundled one"`
	Provider string   `input:"provider" help:"traffic router of canaries that name none in spec.provider"`
	Speed    float64  `input:"speed" help:"how many times faster than real time; default: so that the rollout takes about 15 seconds"`
	RPS      int      `input:"rps" default:"200" help:"requests per second, of real time, that the users send; with --trials of virtual time"`
	Faults   []string `input:"fault" help:"[canary:|primary:]errors=5%|latency=800ms|crash|no-traffic|metrics-down, with @30: from weight 30 on; may be repeated"`
	Seed     uint64   `input:"seed" default:"1" help:"seed of what is random"`
	Output   string   `input:"output" short:"o" help:"json: print the result as one JSON document on standard output"`
}

// bind adds a flag for every tagged field. The tags are the single source of names, defaults and help.
func bind(flags *pflag.FlagSet, inputs any) {
	eachInput(inputs, func(field reflect.StructField, value any) {
		name, short, help, preset := field.Tag.Get("input"), field.Tag.Get("short"), field.Tag.Get("help"), field.Tag.Get("default")
		switch v := value.(type) {
		case *string:
			flags.StringVarP(v, name, short, preset, help)
		case *[]string:
			flags.StringArrayVarP(v, name, short, nil, help)
		case *bool:
			flags.BoolVarP(v, name, short, preset == "true", help)
		case *int:
			flags.IntVarP(v, name, short, 0, help)
		case *uint64:
			flags.Uint64VarP(v, name, short, 0, help)
		case *float64:
			flags.Float64VarP(v, name, short, 0, help)
		default:
			panic(fmt.Sprintf("input %s: no flag for a %T", name, value))
		}
		if preset != "" {
			if err := flags.Lookup(name).Value.Set(preset); err != nil {
				panic(fmt.Sprintf("input %s: default %q: %v", name, preset, err))
			}
			flags.Lookup(name).DefValue = preset
		}
	})
}

// fromEnvironment fills the inputs that no flag has set from INPUT_<NAME>, as GitHub Actions passes them, or from
// PENSTOCK_<NAME>. A list has one value a line; the lines of any other input, such as a kubeconfig, are one value.
func fromEnvironment(flags *pflag.FlagSet, getenv func(string) string) error {
	var problem error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		for _, name := range []string{
			"INPUT_" + strings.ToUpper(f.Name), "PENSTOCK_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")),
		} {
			for _, value := range values(f, getenv(name)) {
				if err := flags.Set(f.Name, value); err != nil {
					problem = badInput(fmt.Errorf("%s: %w", name, err))
				}
			}
			if f.Changed {
				return
			}
		}
	})
	return problem
}

// values splits what the environment has for a flag into what the flag is set to. Empty ones count as not given, since CI
// systems pass an unset input or secret as an empty one.
func values(f *pflag.Flag, text string) []string {
	parts := []string{text}
	if _, list := f.Value.(pflag.SliceValue); list {
		parts = strings.Split(text, "\n")
	}
	var all []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// named returns the arguments with the canary that --canary names. The flag is for those who cannot pass an argument, such
// as a step of a workflow.
func (in *runInputs) named(args []string) ([]string, error) {
	switch {
	case in.Canary == "":
		return args, nil
	case len(args) > 0 && args[0] != in.Canary:
		return nil, badInput(fmt.Errorf("canary: the argument names %q and --canary names %q; use one of them", args[0], in.Canary))
	}
	return []string{in.Canary}, nil
}

// eachInput visits the tagged fields of a struct, embedded ones included.
func eachInput(inputs any, visit func(reflect.StructField, any)) {
	eachField(reflect.ValueOf(inputs).Elem(), visit)
}

func eachField(v reflect.Value, visit func(reflect.StructField, any)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case field.Anonymous:
			eachField(v.Field(i), visit)
		case field.Tag.Get("input") != "":
			visit(field, v.Field(i).Addr().Interface())
		}
	}
}

// parseImages reads container=reference pairs.
func parseImages(pairs []string) (map[string]string, error) {
	images := map[string]string{}
	for _, pair := range pairs {
		container, ref, ok := strings.Cut(pair, "=")
		if !ok || container == "" || ref == "" || strings.ContainsAny(ref, " \t") {
			return nil, badInput(fmt.Errorf("image: %q is not container=reference, such as app=ghcr.io/example/app:1.2.3", pair))
		}
		if old, twice := images[container]; twice && old != ref {
			return nil, badInput(fmt.Errorf("image: container %q is given two images, %q and %q", container, old, ref))
		}
		images[container] = ref
	}
	return images, nil
}

// parseOutput checks an --output value.
func parseOutput(o string) error {
	if o != "" && o != "json" {
		return badInput(fmt.Errorf("output: %q is not known; allowed is json, or nothing for people", o))
	}
	return nil
}
