package manifest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// need reads "verb resource.group name".
func need(text string) manifest.Need {
	fields := append(strings.Fields(text), "")
	resource, group, _ := strings.Cut(fields[1], ".")
	return manifest.Need{Permission: manifest.Permission{
		Verb: fields[0], Group: group, Resource: resource, Name: fields[2], Namespace: "shop",
	}}
}

func TestRulesAreAsFewAsGrantTheNeeds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ needs, rules string }{
		"verbs of one object":              {"patch pods a, get pods a", "get,patch pods a"},
		"names with the same verbs":        {"get pods b, get pods a", "get pods a,b"},
		"names with other verbs":           {"get pods b, list pods a", "list pods a; get pods b"},
		"resources with the same names":    {"get pods a, get services a", "get pods,services a"},
		"resources with other names":       {"get pods a, get services b", "get pods a; get services b"},
		"groups stay apart":                {"get pods.x a, get services.y a", "get pods.x a; get services.y a"},
		"any object covers a named one":    {"get pods a, get pods, list pods a", "get pods ; list pods a"},
		"another kind of any covers none":  {"get pods a, get services", "get pods a; get services "},
		"the same need twice is one":       {"get pods a, get pods a", "get pods a"},
		"names are not a name of any kind": {"get pods, list pods a, get pods b", "get pods ; list pods a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var needs []manifest.Need
			for _, text := range strings.Split(test.needs, ", ") {
				needs = append(needs, need(text))
			}
			for range 2 { // in either order
				if diff := cmp.Diff(test.rules, describe(manifest.Rules(needs))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				slices.Reverse(needs)
			}
		})
	}
}

func describe(rules []manifest.Rule) string {
	var lines []string
	for _, r := range rules {
		resources := strings.Join(r.Resources, ",")
		if r.APIGroups[0] != "" {
			resources += "." + r.APIGroups[0]
		}
		lines = append(lines, strings.Join(r.Verbs, ",")+" "+resources+" "+strings.Join(r.ResourceNames, ","))
	}
	return strings.Join(lines, "; ")
}

// What the rules of a canary grant is what it needs, to the last verb: for every router.
func TestRulesGrantExactlyTheNeeds(t *testing.T) {
	t.Parallel()
	for _, provider := range traffic.List() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := subject(t, provider)
			needs := slices.Concat(s.Run(), s.Removal(), manifest.View(s.Canary), manifest.Guard(s.Canary))
			places := map[string][]manifest.Need{}
			for _, n := range needs {
				places[n.Namespace] = append(places[n.Namespace], n)
			}
			for namespace, wanted := range places {
				granted := expand(manifest.Rules(wanted), namespace)
				for _, p := range manifest.Permissions(wanted) {
					anyName := p
					anyName.Name = ""
					if !granted[p] && !granted[anyName] {
						t.Errorf("not granted: %s", p)
					}
				}
				for p := range granted {
					if !slices.Contains(manifest.Permissions(wanted), p) {
						t.Errorf("granted and not needed: %s", p)
					}
				}
			}
		})
	}
}

func expand(rules []manifest.Rule, namespace string) map[manifest.Permission]bool {
	all := map[manifest.Permission]bool{}
	for _, r := range rules {
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range r.Verbs {
			for _, path := range r.Resources {
				for _, name := range names {
					resource, sub, _ := strings.Cut(path, "/")
					all[manifest.Permission{
						Verb: verb, Group: r.APIGroups[0], Resource: resource, Subresource: sub, Namespace: namespace, Name: name,
					}] = true
				}
			}
		}
	}
	return all
}

func subject(t *testing.T, provider string) manifest.Subject {
	t.Helper()
	c := &canary.Canary{}
	c.Name, c.Namespace = "podinfo", "shop"
	c.Spec.Provider, c.Spec.Service.Port = provider, 80
	c.Spec.TargetRef = canary.ObjectRef{Kind: "Deployment", Name: "podinfo"}
	c.Spec.IngressRef = &canary.ObjectRef{Kind: "Ingress", Name: "web"}
	c.Spec.RouteRef = &canary.ObjectRef{Kind: "ApisixRoute", Name: "web"}
	c.Spec.UpstreamRef = &canary.ObjectRef{Kind: "Upstream", Name: "web", Namespace: "gloo-system"}
	r, err := traffic.For(provider)
	if err != nil {
		t.Fatal(err)
	}
	s, err := manifest.SubjectOf(c, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAlertsNeedTheSecretOfTheirProvider(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{}
	c.Name, c.Namespace = "podinfo", "shop"
	c.Spec.Analysis = &canary.Analysis{Alerts: []canary.Alert{
		{Name: "a", ProviderRef: canary.ObjectRef{Name: "slack"}}, {Name: "b", ProviderRef: canary.ObjectRef{Name: "open"}},
		{Name: "c", ProviderRef: canary.ObjectRef{Name: "elsewhere"}},
	}}
	secret, open := &canary.AlertProvider{}, &canary.AlertProvider{}
	secret.Name, secret.Namespace, secret.Spec.SecretRef = "slack", "shop", &canary.SecretRef{Name: "chat"}
	open.Name, open.Namespace = "open", "shop"
	needs, missing := manifest.Alerts(c, &canary.Set{Providers: []*canary.AlertProvider{secret, open}})
	var got []manifest.Permission
	for _, n := range needs {
		got = append(got, n.Permission)
	}
	want := []manifest.Permission{need("get secrets chat").Permission, need("get alertproviders.flagger.app elsewhere").Permission}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]canary.ObjectRef{{Name: "elsewhere", Namespace: "shop"}}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}
