package manifest_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// Whatever a router writes, the role lets a run write: what is said to be the user's own is never among it.
func TestEveryObjectThatARouterWritesMayBeWritten(t *testing.T) {
	t.Parallel()
	for _, provider := range traffic.List() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob("../../testdata/traffic/" + strings.ReplaceAll(provider, ":", "-") + "/*/*.golden.yaml")
			if err != nil {
				t.Fatal(err)
			}
			written := 0
			for _, file := range files {
				written += checkWritten(t, provider, file)
			}
			if written == 0 && provider != "kubernetes" {
				t.Error("no golden file has an object")
			}
		})
	}
}

func checkWritten(t *testing.T, provider, file string) int {
	t.Helper()
	c := new(canary.Canary)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "canary.yaml"))
	if err == nil {
		err = sigsyaml.Unmarshal(text, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	router, err := traffic.For(provider)
	if err != nil {
		t.Fatal(err)
	}
	s, err := manifest.SubjectOf(c, router)
	if err != nil {
		t.Fatal(err)
	}
	granted := manifest.Permissions(s.Run())
	objects := documents(t, file)
	for _, o := range objects {
		for _, ref := range s.Watched() {
			if ref.Kind != o.GetKind() || ref.Name != o.GetName() || ref.Namespace != o.GetNamespace() {
				continue
			}
			verbs := []string{"create", "patch"}
			if ref == s.Refs.Target {
				verbs = verbs[1:] // Knative's route is in the target itself, which is never made
			}
			for _, verb := range verbs {
				p := manifest.Permission{Verb: verb, Group: ref.Group, Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name}
				if !slices.Contains(granted, p) {
					t.Errorf("%s: not granted: %s", file, p)
				}
			}
		}
	}
	return len(objects)
}

func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if o.Object != nil {
			all = append(all, o)
		}
	}
}
