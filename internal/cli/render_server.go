package cli

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// serverInputs are the inputs of render server.
type serverInputs struct {
	Namespace    string   `input:"namespace" short:"n" default:"penstock" help:"namespace of the server"`
	Image        string   `input:"image" default:"ghcr.io/penstock-dev/penstock:main" help:"image of penstock; better with a digest"`
	Replicas     int      `input:"replicas" default:"2" help:"how many replicas"`
	Served       []string `input:"serve-namespace" help:"namespace whose canaries the server is for; may be repeated; default: its own"`
	Repositories []string `input:"repository" help:"repository whose webhooks count: github:NUMBER, gitlab:NUMBER, or any; may be repeated"`
	Host         string   `input:"host" help:"host by which the forge reaches the server; default: no Ingress"`
	IngressClass string   `input:"ingress-class" help:"class of the Ingress; default: the cluster's"`
	TLSSecret    string   `input:"tls-secret" help:"Secret with the certificate of the Ingress"`
	AppKey       bool     `input:"github-app-key" help:"the Secret penstock-server holds the private key of a GitHub App, under github-app-key"`
	Output       string   `input:"output" short:"o" default:"yaml" help:"yaml, with comments; or json"`
}

func (a *App) renderServerCommand() *cobra.Command {
	in := &serverInputs{}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Print the server that turns review comments into gates",
		Long: `Print everything of a server for a cluster: Deployment, Service, Ingress, NetworkPolicy, PodDisruptionBudget and the
roles that it needs, for a namespace that enforces the Pod Security Standard restricted. Its secrets are not printed: make
the Secret penstock-server first.

The same is in deploy/helm and deploy/kustomize of the repository.`,
		Example: `  penstock render server -n penstock --serve-namespace shop --repository github:7 --host penstock.example.com | kubectl apply -f -`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.renderServer(in)
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

// repositoryNumber names a repository as serve does.
var repositoryNumber = regexp.MustCompile(`^((github|gitlab):[1-9][0-9]*|any)$`)

func (in *serverInputs) problems() []error {
	var all []error
	if err := checkRendered(in.Output); err != nil {
		all = append(all, err)
	}
	for _, namespace := range append([]string{in.Namespace}, in.Served...) {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			all = append(all, fmt.Errorf("namespace, serve-namespace: %q is not the name of a namespace", namespace))
		}
	}
	for _, repository := range in.Repositories {
		if !repositoryNumber.MatchString(repository) {
			all = append(all, fmt.Errorf("repository: %q is not known; allowed are github:NUMBER, gitlab:NUMBER and any", repository))
		}
	}
	if in.Replicas < 1 || in.Replicas > 100 {
		all = append(all, fmt.Errorf("replicas: %d is not between 1 and 100", in.Replicas))
	}
	if in.Image == "" {
		all = append(all, fmt.Errorf("image: none is given"))
	}
	if in.Host != "" && len(validation.IsDNS1123Subdomain(in.Host)) > 0 {
		all = append(all, fmt.Errorf("host: %q is not the name of a host, such as penstock.example.com", in.Host))
	}
	if in.Host == "" && in.IngressClass+in.TLSSecret != "" {
		all = append(all, fmt.Errorf("ingress-class, tls-secret: there is no Ingress without --host"))
	}
	return all
}

func (a *App) renderServer(in *serverInputs) error {
	if err := badInputs(in.problems()); err != nil {
		return err
	}
	objects, err := manifest.RenderServer(manifest.Server{
		Namespace: in.Namespace, Image: in.Image, Replicas: int32(in.Replicas), Served: in.Served, Repositories: in.Repositories,
		Host: in.Host, IngressClass: in.IngressClass, TLSSecret: in.TLSSecret, AppKey: in.AppKey,
	})
	if err != nil {
		return err
	}
	return a.printObjects(objects, in.Output)
}
