package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

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
