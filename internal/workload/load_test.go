package workload_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/workload"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const testdata = "../../testdata/workload"

// load reads a YAML file strictly; it returns nil when there is none.
func load[T any](t testing.TB, path ...string) *T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{testdata}, path...)...))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return parse[T](t, string(text))
}

func parse[T any](t testing.TB, text string) *T {
	t.Helper()
	value := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), value); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return value
}

// live makes a workload of a typed object as the API server would return it. A nil pointer is none.
func live(t testing.TB, typed runtime.Object) *workload.Workload {
	t.Helper()
	if reflect.ValueOf(typed).IsNil() {
		return nil
	}
	w, err := workload.FromObject(untyped(t, typed))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func untyped(t testing.TB, typed runtime.Object) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{Object: content}
	o.SetKind(reflect.TypeOf(typed).Elem().Name())
	return o
}

// parts are pods as the watch delivers them.
func parts(t testing.TB, pods ...*corev1.Pod) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, pod := range pods {
		all = append(all, untyped(t, pod))
	}
	return all
}

// golden compares objects with a file of YAML documents.
func golden(t testing.TB, path string, objects ...*unstructured.Unstructured) {
	t.Helper()
	documents := make([]string, 0, len(objects))
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(text))
	}
	got := strings.Join(documents, "---\n")
	path = filepath.Join(testdata, path)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
