package cli

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// What the pod is given are flags of penstock serve, and nothing else.
func TestThePodOfTheServerUsesFlagsOfServe(t *testing.T) {
	t.Parallel()
	objects, err := manifest.RenderServer(manifest.Server{
		Namespace: "ops", Image: "i", Replicas: 2, Served: []string{"shop"}, Repositories: []string{"github:7"}, AppKey: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve, _, err := commandTree().Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	serve.Flags().VisitAll(func(f *pflag.Flag) {
		known = append(known, "PENSTOCK_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
	})
	found := 0
	for _, o := range objects {
		text, err := json.Marshal(o.Body)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Args []string
							Env  []struct{ Name string }
						}
					}
				}
			}
		}
		if json.Unmarshal(text, &d) != nil || d.Kind != "Deployment" {
			continue
		}
		c := d.Spec.Template.Spec.Containers[0]
		for _, env := range c.Env {
			if found++; !slices.Contains(known, env.Name) {
				t.Errorf("%s is no flag of penstock serve", env.Name)
			}
		}
		if c.Args[0] != "serve" {
			t.Errorf("the pod runs %q", c.Args)
		}
		if err := serve.ParseFlags(c.Args[1:]); err != nil {
			t.Errorf("%q: %v", c.Args, err)
		}
	}
	if found < 5 {
		t.Errorf("only %d variables were found", found)
	}
}

// everySetting is each flag of serve that --set takes, with a value that it takes.
func everySetting(t *testing.T) map[string]*pflag.Flag {
	t.Helper()
	serve, _, err := commandTree().Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*pflag.Flag{}
	serve.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && unsettable(f.Name) == "" {
			all[f.Name] = f
		}
	})
	return all
}

// Whoever adds a flag to serve need do nothing here, unless it is a secret or is said by a value of its own.
func TestEveryFlagOfServeCanBeGivenToTheServer(t *testing.T) {
	t.Parallel()
	serve, _, err := commandTree().Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := []string{
		"address", "data", "github-app-key-file", "kubeconfig-data", "oidc-audience", "oidc-token-env", "repository", "serve-namespace", "token",
	}
	settings := everySetting(t)
	serve.Flags().VisitAll(func(f *pflag.Flag) {
		name := f.Name
		if strings.HasSuffix(name, "-secret") || strings.HasSuffix(name, "-token") || name == "token" {
			if _, shown := settings[name]; shown {
				t.Errorf("--%s is a secret, and could be set where everybody sees it: it has to be a key of the Secret", name)
			}
		}
		if _, ok := settings[name]; ok || name == "help" || slices.Contains(elsewhere, name) || slices.Contains(manifest.ServerSecretKeys(), name) {
			return
		}
		t.Errorf("--%s of penstock serve cannot be given to the server: neither by --set nor by the Secret", name)
	})
	for name, f := range settings {
		in := serverInputs{}
		value := map[string]string{"bool": "true"}[f.Value.Type()]
		if value == "" {
			value = "text"
		}
		in.Settings = []string{name + "=" + value}
		got, err := in.settings((&App{}).serveCommand().Flags())
		if err != nil || len(got) != 1 || got[0].Values[0] != value {
			t.Errorf("--set %s=%s: %v %v", name, value, got, err)
		}
	}
}

// The chart says of each setting what it is, so that helm refuses others.
func TestTheChartKnowsEverySetting(t *testing.T) {
	t.Parallel()
	want := map[string]any{}
	for name, f := range everySetting(t) {
		_, list := f.Value.(pflag.SliceValue)
		switch {
		case list:
			want[name] = map[string]any{"type": "array", "items": map[string]any{"type": "string", "minLength": float64(1)}}
		case f.Value.Type() == "bool":
			want[name] = map[string]any{"type": "boolean"}
		default:
			want[name] = map[string]any{"type": "string", "minLength": float64(1)}
		}
	}
	const file = "../../deploy/helm/penstock/values.schema.json"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct{ Settings map[string]any }
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]any{"type": "object", "additionalProperties": false, "properties": want}
	if diff := cmp.Diff(wanted, schema.Properties.Settings); diff != "" {
		all, err := json.Marshal(wanted)
		t.Errorf("%s: let settings be\n%s\n%v\n%s", file, all, err, diff)
	}
}
