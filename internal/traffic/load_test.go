package traffic_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Values of session cookies.
const session, previous = "sessionone", "sessionnil"

const testdata = "../../testdata/traffic"

// scenario is a folder below testdata/traffic/<router>/: a canary and what is in its cluster.
type scenario struct {
	dir    string
	router traffic.Router
	canary *canary.Canary
	live   canary.Objects
}

// folder is the name of a router's folder, since a colon is not possible in a file name everywhere.
func folder(router string) string { return strings.ReplaceAll(router, ":", "-") }

func scenarios(t *testing.T, name string) []scenario {
	t.Helper()
	router, err := traffic.For(name)
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join(testdata, folder(name), "*", "canary.yaml"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%s has no folder below %s/%s with a canary.yaml: %v", name, testdata, folder(name), err)
	}
	var all []scenario
	for _, file := range dirs {
		s := scenario{dir: filepath.Dir(file), router: router, canary: new(canary.Canary), live: canary.Objects{}}
		if err := yaml.UnmarshalStrict(read(t, file), s.canary); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, o := range documents(t, filepath.Join(s.dir, "live.yaml")) {
			s.live[refOf(t, s, o)] = o
		}
		all = append(all, s)
	}
	return all
}

func load(t *testing.T, router, name string) scenario {
	t.Helper()
	for _, s := range scenarios(t, router) {
		if filepath.Base(s.dir) == name {
			return s
		}
	}
	t.Fatalf("%s has no scenario %s", router, name)
	return scenario{}
}

// refOf returns the reference of the router's objects that an object is.
func refOf(t *testing.T, s scenario, o *unstructured.Unstructured) canary.Ref {
	t.Helper()
	for _, ref := range s.router.Refs(s.canary) {
		if ref.Kind == o.GetKind() && ref.Name == o.GetName() && ref.Namespace == o.GetNamespace() {
			return ref
		}
	}
	t.Fatalf("%s: the router does not look at %s %q", s.dir, o.GetKind(), o.GetName())
	return canary.Ref{}
}

// routes are those that the canary of a scenario goes through, by the name of their golden file.
func (s scenario) routes() map[string]rollout.Route {
	routes := map[string]rollout.Route{"canary-00": {Managed: true}, "canary-100": {Managed: true, Canary: 100}}
	if s.router.Can.Weights {
		routes["canary-20"] = rollout.Route{Managed: true, Canary: 20}
	}
	routes["handover"] = rollout.Route{Managed: true, Canary: 100, Handover: true}
	if a := s.canary.Spec.Analysis; a != nil && a.SessionAffinity != nil {
		routes["canary-kept"] = rollout.Route{Managed: true, Canary: 20, Session: session, Previous: previous}
		routes["canary-released"] = rollout.Route{Managed: true, Previous: previous}
	}
	for _, step := range rollout.Plan(s.canary).Steps {
		switch {
		case step.Match:
			routes["canary-match"] = rollout.Route{Managed: true, Match: true, Mirror: step.Mirror}
		case step.Mirror > 0:
			routes["canary-mirror"] = rollout.Route{Managed: true, Mirror: step.Mirror}
		}
	}
	return routes
}

func (s scenario) render(t *testing.T, want rollout.Route) []*unstructured.Unstructured {
	t.Helper()
	before := clone(s.live)
	objects, err := s.router.Render(s.canary, s.live, want)
	if err != nil {
		t.Fatalf("%s: %+v: %v", s.dir, want, err)
	}
	copies := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		copies = append(copies, o.DeepCopy())
		scribble(o.Object)
	}
	if diff := differs(before, s.live); diff != "" {
		t.Fatalf("%s: the live objects were modified, or are a part of what was rendered:\n%s", s.dir, diff)
	}
	return copies
}

// scribble overwrites whatever an object holds.
func scribble(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			scribble(field)
			v[key] = "scribbled"
		}
	case []any:
		for i := range v {
			scribble(v[i])
			v[i] = "scribbled"
		}
	}
}

func clone(live canary.Objects) canary.Objects {
	copied := canary.Objects{}
	for ref, o := range live {
		copied[ref] = o.DeepCopy()
	}
	return copied
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func documents(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, document := range bytes.Split(read(t, path), []byte("\n---\n")) {
		if o := parse(t, string(document)); o != nil {
			all = append(all, o)
		}
	}
	return all
}

// parse reads one YAML document, or nil when there are only comments in it.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	body, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if string(body) == "null" {
		return nil
	}
	o := new(unstructured.Unstructured)
	if err := o.UnmarshalJSON(body); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}

// golden compares objects with a file of YAML documents.
func golden(t *testing.T, path string, objects []*unstructured.Unstructured) {
	t.Helper()
	var parts []string
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(text))
	}
	got := strings.Join(parts, "---\n")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(read(t, path)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// written is the object that the router writes.
func (s scenario) written() canary.Ref {
	refs := s.router.Refs(s.canary)
	if refs[0].Kind == "Ingress" || refs[0].Kind == "ApisixRoute" {
		return refs[1]
	}
	return refs[0]
}

// copied returns a copy of a canary, to be changed.
func copied(t *testing.T, c *canary.Canary) *canary.Canary {
	t.Helper()
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	result := new(canary.Canary)
	if err := yaml.Unmarshal(text, result); err != nil {
		t.Fatal(err)
	}
	return result
}
