package rehearsal

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// newKind makes the field managers of a kind. Built-in kinds merge lists by their keys; for the others a list is one
// value, as the Gateway API and Flagger declare theirs.
func (a *API) newKind(kind Kind) *apiKind {
	k := &apiKind{Kind: kind, builtin: builtinScheme().Recognizes(kind.GroupVersionKind), managers: map[string]*managedfields.FieldManager{}}
	for _, sub := range []string{"", "status", "scale"} {
		k.managers[sub] = a.newFieldManager(k, sub)
	}
	return k
}

func (a *API) newFieldManager(k *apiKind, subresource string) *managedfields.FieldManager {
	converter := a.deduced
	if k.builtin {
		converter = a.typed
	}
	ignored := map[fieldpath.APIVersion]fieldpath.Filter{}
	version := fieldpath.APIVersion(k.GroupVersion().String())
	switch {
	case subresource == "status" && k.keepsAnnotations():
		ignored[version] = fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("spec"), fieldpath.MakePathOrDie("metadata", "labels")))
	case subresource == "status":
		ignored[version] = fieldpath.NewIncludeMatcherFilter(fieldpath.MakePrefixMatcherOrDie("status"))
	case k.Status:
		ignored[version] = fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie("status")))
	}
	m, err := managedfields.NewDefaultCRDFieldManager(converter, sameVersion{}, sameVersion{}, sameVersion{},
		k.GroupVersionKind, k.GroupVersion(), subresource, ignored)
	if err != nil {
		// It fails only without a type converter, and there is always one.
		panic(err)
	}
	return m
}

// sameVersion is what the field managers need to know of conversion and defaults: every object stays as it is.
type sameVersion struct{}

func (sameVersion) Convert(_, _, _ any) error { return nil }
func (sameVersion) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}
func (sameVersion) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
func (sameVersion) Default(runtime.Object) {}
func (sameVersion) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	return emptyObject(gvk), nil
}

func emptyObject(gvk schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(gvk)
	return u
}

// redate gives the entries of next that differ from those of live the time now, and the others the time that they
// had: the library dates by the machine's clock, and dates again what did not change.
func redate(live, next *unstructured.Unstructured, now metav1.Time) {
	var before []metav1.ManagedFieldsEntry
	if live != nil {
		before = live.GetManagedFields()
	}
	entries := next.GetManagedFields()
	for i := range entries {
		entries[i].Time = &now
		same := slices.IndexFunc(before, func(e metav1.ManagedFieldsEntry) bool { return sameEntry(e, entries[i]) })
		if same >= 0 {
			entries[i].Time = before[same].Time
		}
	}
	next.SetManagedFields(entries)
}

func sameEntry(a, b metav1.ManagedFieldsEntry) bool {
	return a.Manager == b.Manager && a.Operation == b.Operation && a.APIVersion == b.APIVersion &&
		a.Subresource == b.Subresource && rawFields(a) == rawFields(b)
}

func rawFields(e metav1.ManagedFieldsEntry) string {
	if e.FieldsV1 == nil {
		return ""
	}
	return e.FieldsV1.GetRawString()
}
