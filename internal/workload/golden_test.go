package workload_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// object reads one object, with numbers as the API has them; it is nil when there is no such file.
func object(t testing.TB, path ...string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{testdata}, path...)...))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

func fromObject(t testing.TB, o *unstructured.Unstructured) *workload.Workload {
	t.Helper()
	w, err := workload.FromObject(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPrimaryAndServicesAreAsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(testdata)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if object(t, name, "target.yaml") == nil {
			continue // of another test
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load[canary.Canary](t, name, "canary.yaml")
			refs, err := workload.RefsFor(c)
			if err != nil {
				t.Fatal(err)
			}
			objects := canary.Objects{}
			if service := object(t, name, "live.yaml"); service != nil {
				objects[refs.Apex] = service
			}
			targetObject, primaryObject := object(t, name, "target.yaml"), object(t, name, "primary.yaml")
			targetBefore, primaryBefore := targetObject.DeepCopy(), primaryObject.DeepCopy()
			target, primary := fromObject(t, targetObject), fromObject(t, primaryObject)
			rendered, err := workload.RenderPrimary(c, target, primary)
			if err != nil {
				t.Fatal(err)
			}
			services, err := workload.Services(c, target, primary, objects)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(name, "primary.golden.yaml"), rendered)
			golden(t, filepath.Join(name, "services.golden.yaml"), services...)
			if diff := cmp.Diff(targetBefore, targetObject) + cmp.Diff(primaryBefore, primaryObject); diff != "" {
				t.Errorf("the arguments were modified:\n%s", diff)
			}
			if again, err := workload.RenderPrimary(c, target, primary); err != nil || cmp.Diff(rendered, again) != "" {
				t.Errorf("rendering again: %v\n%s", err, cmp.Diff(rendered, again))
			}
			if got, want := workload.PrimaryRevision(fromObject(t, rendered)), workload.TargetRevision(target); got != want {
				t.Errorf("the primary's revision is %s, the target's %s", got, want)
			}
		})
	}
}
