package manifest_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
)

// A field that the definition lacks would be cut off by the API server without a word.
func TestTheDefinitionsHaveEveryFieldOfTheTypes(t *testing.T) {
	t.Parallel()
	types := map[string]reflect.Type{
		"Canary":         reflect.TypeFor[canary.Canary](),
		"MetricTemplate": reflect.TypeFor[canary.MetricTemplate](),
		"AlertProvider":  reflect.TypeFor[canary.AlertProvider](),
	}
	for _, kind := range manifest.Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			object, err := manifest.RenderCRD(kind)
			if err != nil {
				t.Fatal(err)
			}
			body := object.Body.(map[string]any)
			versions, _, _ := unstructured.NestedSlice(body, "spec", "versions")
			version := versions[0].(map[string]any)
			if name, group := version["name"], body["spec"].(map[string]any)["group"]; group.(string)+"/"+name.(string) != canary.APIVersion {
				t.Errorf("%s/%s is not %s", group, name, canary.APIVersion)
			}
			if _, there, _ := unstructured.NestedMap(version, "subresources", "status"); !there {
				t.Error("it has no status of its own")
			}
			schema, _, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema")
			if fields := compareSchema(t, kind, types[kind], schema); fields < 8 {
				t.Errorf("only %d fields were compared", fields)
			}
		})
	}
}

// compareSchema compares a type with its schema, and returns how many fields it has.
func compareSchema(t *testing.T, path string, typ reflect.Type, schema map[string]any) int {
	t.Helper()
	switch typ.Kind() {
	case reflect.Pointer:
		return compareSchema(t, path, typ.Elem(), schema)
	case reflect.Slice:
		items, _ := schema["items"].(map[string]any)
		return compareSchema(t, path+"[]", typ.Elem(), items)
	case reflect.Struct:
	default:
		return 0
	}
	if slices.Contains([]reflect.Type{
		reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.ObjectMeta](), reflect.TypeFor[intstr.IntOrString](),
	}, typ) {
		return 0
	}
	properties, _ := schema["properties"].(map[string]any)
	fields := 0
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case options == "inline" && field.Type == reflect.TypeFor[metav1.TypeMeta](), name == "-":
			continue
		case name == "" && options == "inline":
			fields += compareSchema(t, path, field.Type, schema)
			continue
		}
		property, there := properties[name].(map[string]any)
		if !there {
			t.Errorf("%s.%s is not in the definition; run go generate", path, name)
			continue
		}
		fields += 1 + compareSchema(t, path+"."+name, field.Type, property)
	}
	return fields
}

func TestAnUnknownKindIsNamedWithTheKnownOnes(t *testing.T) {
	t.Parallel()
	_, err := manifest.RenderCRD("Rollout")
	if err == nil || err.Error() != `"Rollout" is not known; allowed are AlertProvider, Canary, MetricTemplate` {
		t.Errorf("%v", err)
	}
}
