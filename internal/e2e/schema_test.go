package e2e

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// definitions are the routers' own, by API group: the module that ships them, and the file in it.
var definitions = map[string]struct{ module, file string }{
	"networking.istio.io": {"istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"},
	"projectcontour.io":   {"github.com/projectcontour/contour", "examples/contour/01-crds.yaml"},
	"serving.knative.dev": {"knative.dev/serving", "config/core/300-resources/service.yaml"},
	"traefik.io":          {"github.com/traefik/traefik/v3", "docs/content/reference/dynamic-configuration/traefik.io_traefikservices.yaml"},
}

// undefined are the groups whose definitions no module ships for a cluster of today. SMI's has them for a version of
// the API server that is gone.
var undefined = map[string]bool{
	"split.smi-spec.io": true, "kuma.io": true, "gateway.solo.io": true, "gloo.solo.io": true, "appmesh.k8s.aws": true, "apisix.apache.org": true,
}

// installed has one entry per group that a test has asked for; they stay as long as the cluster does.
var installed sync.Map

// installRouter makes sure that the cluster serves an API group.
func installRouter(t testing.TB, group string) {
	t.Helper()
	d, ours := definitions[group]
	if !ours {
		return
	}
	once, _ := installed.LoadOrStore(group, sync.OnceValue(func() error {
		dir, err := moduleDir(t.Context(), "tools/crds", d.module)
		if err != nil {
			return err
		}
		return cluster.installCRDs(t.Context(), filepath.Join(dir, d.file))
	}))
	if err := once.(func() error)(); err != nil {
		t.Fatal(err)
	}
}

// Everything that a router's golden files hold is an object that the router's own definition accepts: no field that it
// does not know, and none of another type.
func TestTheDefinitionsOfTheRoutersAcceptWhatIsRendered(t *testing.T) {
	t.Parallel()
	const folder = "../../testdata/traffic"
	files, err := filepath.Glob(filepath.Join(folder, "*", "*", "*.golden.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", folder, err)
	}
	ns := cluster.Namespace(t)
	checked := map[string]int{}
	for _, file := range files {
		objects, err := readObjects(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			group := o.GroupVersionKind().Group
			if undefined[group] || o.GetKind() == "Service" && group == "" {
				continue // what is rendered of a Service of Kubernetes is a part of it
			}
			withoutExperiments(o)
			checked[group]++
			installRouter(t, group)
			if err := tryApply(t, ns.Name, o); err != nil {
				t.Errorf("%s: %v", strings.TrimPrefix(file, folder+"/"), err)
			}
		}
	}
	for group := range definitions {
		if checked[group] == 0 {
			t.Errorf("no golden file has an object of %s", group)
		}
	}
	t.Logf("objects checked: %v", checked)
}

// withoutExperiments takes out what a golden file has of the Gateway API's experimental channel, which a user may have put
// into a route and the standard definitions lack.
func withoutExperiments(o *unstructured.Unstructured) {
	rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
	for _, rule := range rules {
		if rule, ok := rule.(map[string]any); ok && o.GetKind() == "HTTPRoute" {
			delete(rule, "sessionPersistence")
			_ = unstructured.SetNestedSlice(o.Object, rules, "spec", "rules")
		}
	}
}

// tryApply lets the API server check an object as an apply that changes nothing.
func tryApply(t testing.TB, namespace string, o *unstructured.Unstructured) error {
	t.Helper()
	if o.GetNamespace() != "" {
		o.SetNamespace(namespace)
	}
	o.SetResourceVersion("")
	o.SetOwnerReferences(nil) // the owner is not in this cluster
	body, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	gvr, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	_, err = cluster.Dynamic.Resource(gvr).Namespace(o.GetNamespace()).Patch(t.Context(), o.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: "schema", FieldValidation: metav1.FieldValidationStrict})
	return err
}
