package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// rbacInputs are the inputs of render rbac.
type rbacInputs struct {
	reachInputs
	secretInputs
	Files          []string `input:"filename" short:"f" help:"file, directory or glob with the Canary, its templates and the manifests of its target; - is standard input; may be repeated"`
	Namespace      string   `input:"namespace" short:"n" help:"namespace of canaries that name none"`
	Provider       string   `input:"provider" help:"traffic router of canaries that name none in spec.provider"`
	MetricsServer  string   `input:"metrics-server" help:"address of the Prometheus of canaries that name none in spec.metricsServer"`
	ServiceAccount []string `input:"service-account" help:"who runs penstock: a ServiceAccount as name or namespace/name, such as that of the server's watchdog; may be repeated; default: penstock in the canary's namespace"`
	Users          []string `input:"user" help:"who runs penstock: a user, such as the one of an OIDC token; may be repeated"`
	Groups         []string `input:"group" help:"who runs penstock: a group; may be repeated"`
	View           bool     `input:"view" help:"also keep the status and the events of the Canary object, where the cluster has one"`
	Approvals      bool     `input:"approvals" help:"also keep what people say at the gates, for --approvals poll"`
	Suspend        bool     `input:"suspend" help:"also ask whether a server watches over the rollout, for --watchdog server"`
	Uninstall      bool     `input:"uninstall" help:"also what penstock run --uninstall deletes"`
	AnyConfig      bool     `input:"any-config" help:"all ConfigMaps and Secrets of the namespace instead of those that the target's manifest names"`
	Driver         string   `input:"driver" default:"penstock" help:"penstock: a run drives the rollout; follow: a Flagger controller does"`
	Output         string   `input:"output" short:"o" default:"yaml" help:"yaml, with comments; or json"`
}

func (a *App) renderRBACCommand() *cobra.Command {
	in := &rbacInputs{}
	cmd := &cobra.Command{
		Use:   "rbac [CANARY] -f FILE...",
		Short: "Print the role that a run needs, and its binding",
		Long: `Print a Role and a RoleBinding for each canary of the files: exactly what a run of it asks the cluster for. Objects are
granted by their names. A ClusterRole is printed only for a router whose object belongs to the whole cluster.

Which ConfigMaps and Secrets a run reads and copies is said by the target, so give its manifests, too. Without them none is
granted, and a run of a target that has some is refused before anything is touched; --any-config grants all of them.`,
		Example: `  penstock render rbac -f canary.yaml -f deployment.yaml | kubectl apply -f -
  penstock render rbac podinfo -f deploy/ -n shop --service-account ci/deployer --view
  penstock render rbac -f deploy/ --user "https://gitlab.example.com#project_path:shop/podinfo" -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.renderRBAC(in, append(args, "")[0])
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (a *App) renderRBAC(in *rbacInputs, name string) error {
	subjects, err := in.check()
	if err != nil {
		return err
	}
	set, err := a.read(in.Files)
	if err != nil {
		return err
	}
	set.DefaultNamespace(in.Namespace)
	if err := set.Check(); err != nil {
		return badInput(err)
	}
	canaries := set.Canaries
	if name != "" || len(canaries) == 0 {
		c, err := choose(&set, name)
		if err != nil {
			return err
		}
		canaries = []*canary.Canary{c}
	}
	var objects []manifest.Object
	var notes []string
	var problems []error
	for _, c := range canaries {
		needs, said, err := in.needs(c, &set)
		if err != nil {
			problems = append(problems, fmt.Errorf("canary %q:\n%w", c.Name, err))
			continue
		}
		for _, note := range said {
			notes = append(notes, fmt.Sprintf("canary %q: %s", c.Name, note))
		}
		objects = append(objects, manifest.RenderRBAC(c, needs, subjects)...)
	}
	if len(problems) > 0 {
		return badInput(errors.Join(problems...))
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(a.Stderr, report.Clean(note)); err != nil {
			return err
		}
	}
	return a.printObjects(objects, in.Output)
}

func (a *App) printObjects(objects []manifest.Object, output string) error {
	render := manifest.RenderYAML
	if output == "json" {
		render = manifest.RenderJSON
	}
	text, err := render(objects)
	if err == nil {
		_, err = a.Stdout.Write(text)
	}
	return err
}

// check returns who is bound to the roles, or every problem of the inputs.
func (in *rbacInputs) check() ([]rbacv1.Subject, error) {
	var problems []error
	say := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(in.Files) == 0 {
		say("filename: no file is given; use -f FILE, -f DIRECTORY or -f -")
	}
	if err := checkRendered(in.Output); err != nil {
		problems = append(problems, err)
	}
	if in.Namespace != "" && len(validation.IsDNS1123Label(in.Namespace)) > 0 {
		say("namespace: %q is not a name of a namespace", in.Namespace)
	}
	switch in.Driver {
	case "penstock":
	case "follow":
		if in.Uninstall || in.AnyConfig {
			say("driver: --uninstall and --any-config are not for --driver follow; what a Flagger controller has made is its own")
		}
	default:
		say("driver: %q is not known; allowed are penstock and follow", in.Driver)
	}
	accounts, err := in.accounts()
	if err != nil {
		problems = append(problems, err)
	}
	subjects := slices.Concat(accounts, in.people(rbacv1.UserKind, in.Users), in.people(rbacv1.GroupKind, in.Groups))
	if len(problems) > 0 {
		return nil, badInput(errors.Join(problems...))
	}
	return subjects, nil
}

// accounts are the ServiceAccounts that are bound. There is none by default where somebody else is.
func (in *rbacInputs) accounts() ([]rbacv1.Subject, error) {
	names := in.ServiceAccount
	if len(names)+len(in.Users)+len(in.Groups) == 0 {
		names = []string{"penstock"}
	}
	var all []rbacv1.Subject
	var problems []error
	for _, text := range names {
		namespace, name, given := strings.Cut(text, "/")
		if !given {
			namespace, name = "", text
		}
		if len(validation.IsDNS1123Subdomain(name)) > 0 || given && len(validation.IsDNS1123Label(namespace)) > 0 {
			problems = append(problems, fmt.Errorf("service-account: %q is not allowed; give a name, or namespace/name", text))
		}
		all = append(all, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: namespace})
	}
	return all, errors.Join(problems...)
}

func (in *rbacInputs) people(kind string, names []string) []rbacv1.Subject {
	var all []rbacv1.Subject
	for _, name := range names {
		all = append(all, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: kind, Name: name})
	}
	return all
}

// needs lists what a canary needs, and notes what of it is not known.
func (in *rbacInputs) needs(c *canary.Canary, set *canary.Set) (all []manifest.Need, notes []string, err error) {
	if c.Namespace == "" {
		return nil, nil, errors.New("metadata.namespace: is missing, and a role belongs to a namespace; give it, or use -n")
	}
	subject, err := in.subject(c)
	if err != nil {
		return nil, nil, err
	}
	all = manifest.Guard(c)
	if in.View {
		all = append(all, manifest.View(c)...)
	}
	if in.Driver == "follow" {
		return slices.Concat(manifest.Follow(c, &subject.Refs), manifest.Events(c)), nil, nil
	}
	all = append(all, subject.Run()...)
	if in.Approvals {
		all = append(all, subject.Approvals()...)
	}
	if in.Suspend {
		all = append(all, subject.Suspension()...)
	}
	if in.Uninstall || c.Spec.RevertOnDeletion {
		all = append(all, subject.Removal()...)
	}
	metrics, missing := manifest.Metrics(c, set)
	all = append(all, in.spare(metrics)...)
	for _, ref := range missing {
		notes = append(notes, fmt.Sprintf("MetricTemplate %q is not in the files; a Secret that it names is not granted", ref.Namespace+"/"+ref.Name))
	}
	alerts, missing := manifest.Alerts(c, set)
	all = append(all, in.spare(alerts)...)
	for _, ref := range missing {
		notes = append(notes, fmt.Sprintf("AlertProvider %q is not in the files; a Secret that it names is not granted", ref.Namespace+"/"+ref.Name))
	}
	services, err := in.reached(c, set)
	if err != nil {
		return nil, nil, err
	}
	all = append(all, services...)
	target, known, err := subject.Target(set.Others)
	switch {
	case err != nil:
		return nil, nil, err
	case in.AnyConfig:
		all = append(all, subject.AnyConfig()...)
	case target != nil:
		all = append(all, subject.ConfigsOf(target, known)...)
	default:
		notes = append(notes, fmt.Sprintf("%s is not in the files, so no ConfigMap and no Secret is granted; "+
			"give its manifest with -f if it refers to any, or use --any-config", subject.Refs.Target))
	}
	return all, notes, nil
}

// subject finds the router of a canary and everything that a run looks at.
func (in *rbacInputs) subject(c *canary.Canary) (manifest.Subject, error) {
	var router traffic.Router
	if in.Driver != "follow" { // Flagger knows the router
		if c.Spec.Provider == "" {
			c.Spec.Provider = in.Provider
		}
		if guess, err := traffic.Detect(c, traffic.Cluster{}); c.Spec.Provider == "" && err == nil && guess.Provider != "kubernetes" {
			c.Spec.Provider = guess.Provider // the canary's own fields say it
		}
		if c.Spec.Provider == "" {
			return manifest.Subject{}, fmt.Errorf("spec.provider: is missing and --provider is not given; supported are %s", strings.Join(traffic.List(), ", "))
		}
		var err error
		if router, err = traffic.For(c.Spec.Provider); err != nil {
			return manifest.Subject{}, fmt.Errorf("spec.%w", err)
		}
		if lacking := router.Refuse(c); len(lacking) > 0 {
			return manifest.Subject{}, errors.New(strings.Join(lacking, "\n"))
		}
	}
	return manifest.SubjectOf(c, router)
}
