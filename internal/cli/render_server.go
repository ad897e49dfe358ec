package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	Settings     []string `input:"set" help:"flag of penstock serve and its value, such as page=on; may be repeated, and a flag as well that serve lets be repeated. A file is a key of the Secret, at /etc/penstock/KEY"`
	EgressPorts  []string `input:"egress-port" help:"port to which the server may connect besides 443 and 6443, such as that of a forge or an API server of yours; may be repeated"`
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

// unsettable says why a flag of penstock serve is not set by --set; empty when it can be.
func unsettable(flag string) string {
	switch flag {
	case "address":
		return "the pod has one port, :8080"
	case "serve-namespace", "repository":
		return "use --" + flag + ", which the roles are made by, too"
	case "github-app-key-file":
		return "use --github-app-key"
	case "data":
		return "replicas share what they keep through the cluster"
	case "token", "kubeconfig-data":
		return "everybody who sees the Deployment would know it; put a kubeconfig into the Secret, and set kubeconfig=/etc/penstock/KEY"
	case "oidc-audience", "oidc-token-env":
		return "it is for jobs of a forge"
	}
	if slices.Contains(manifest.ServerSecretKeys(), flag) {
		return "put it into the Secret " + manifest.ServerName + ", under the key " + flag
	}
	return ""
}

// settings reads the flags of penstock serve that are set. flags are serve's own, and are written to.
func (in *serverInputs) settings(flags *pflag.FlagSet) ([]manifest.Setting, error) {
	var all []manifest.Setting
	var problems []error
	for _, text := range in.Settings {
		name, value, _ := strings.Cut(text, "=")
		f := flags.Lookup(name)
		switch why := unsettable(name); {
		case f == nil:
			problems = append(problems, fmt.Errorf("set: %q is no flag of penstock serve with a value, such as page=on", text))
			continue
		case why != "":
			problems = append(problems, fmt.Errorf("set: %s: %s", name, why))
			continue
		case value == "" || strings.Contains(value, "\n"):
			problems = append(problems, fmt.Errorf("set: %s: %q is not one line of text", name, value))
			continue
		}
		_, list := f.Value.(pflag.SliceValue)
		at := slices.IndexFunc(all, func(s manifest.Setting) bool { return s.Name == name })
		switch err := f.Value.Set(value); {
		case err != nil:
			problems = append(problems, fmt.Errorf("set: %s: %q: %w", name, value, err))
		case at < 0:
			all = append(all, manifest.Setting{Name: name, Values: []string{value}})
		case list:
			all[at].Values = append(all[at].Values, value)
		default:
			problems = append(problems, fmt.Errorf("set: %s is given twice, and has one value", name))
		}
	}
	return all, errors.Join(problems...)
}

// ports reads the ports that are let out to.
func (in *serverInputs) ports() ([]int32, error) {
	var all []int32
	for _, text := range in.EgressPorts {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("egress-port: %q is not a port between 1 and 65535", text)
		}
		all = append(all, int32(port))
	}
	return all, nil
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
	serve := a.serveCommand().Flags()
	settings, wrong := in.settings(serve)
	ports, bad := in.ports()
	if err := badInputs(append(in.problems(), wrong, bad)); err != nil {
		return err
	}
	tests, err := serve.GetBool("load-tester")
	if err != nil {
		return err
	}
	objects, err := manifest.RenderServer(manifest.Server{
		Settings: settings, EgressPorts: ports, LoadTester: tests,
		Namespace: in.Namespace, Image: in.Image, Replicas: int32(in.Replicas), Served: in.Served, Repositories: in.Repositories,
		Host: in.Host, IngressClass: in.IngressClass, TLSSecret: in.TLSSecret, AppKey: in.AppKey,
	})
	if err != nil {
		return err
	}
	return a.printObjects(objects, in.Output)
}
