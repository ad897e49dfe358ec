package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// apiSelection says which objects a list or a watch is about. An empty namespace means all of them.
type apiSelection struct {
	gvr       schema.GroupVersionResource
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

func (s apiSelection) covers(key apiKey) bool {
	return key.gvr == s.gvr && (s.namespace == "" || s.namespace == key.namespace)
}

func (s apiSelection) matches(object *unstructured.Unstructured) bool {
	if object == nil {
		return false
	}
	if s.labels != nil && !s.labels.Matches(labels.Set(object.GetLabels())) {
		return false
	}
	return s.fields == nil || s.fields.Matches(objectFields{object})
}

// objectFields reads the fields of an object by their paths, as field selectors name them.
type objectFields struct{ object *unstructured.Unstructured }

func (f objectFields) Get(path string) string {
	value, found, err := unstructured.NestedFieldNoCopy(f.object.Object, strings.Split(path, ".")...)
	if !found || err != nil {
		return ""
	}
	return fmt.Sprint(value)
}

func (f objectFields) Has(path string) bool { return f.Get(path) != "" }

// parseSelection reads the selectors of a request.
func parseSelection(k *apiKind, r APIRequest) (apiSelection, error) {
	s := apiSelection{gvr: k.GVR(), namespace: r.Namespace}
	query := r.HTTP.URL.Query()
	var err error
	if s.labels, err = labels.Parse(query.Get("labelSelector")); err != nil {
		return s, apierrors.NewBadRequest(fmt.Sprintf("unable to parse labelSelector: %v", err))
	}
	if s.fields, err = fields.ParseSelector(query.Get("fieldSelector")); err != nil {
		return s, apierrors.NewBadRequest(fmt.Sprintf("unable to parse fieldSelector: %v", err))
	}
	for _, requirement := range s.fields.Requirements() {
		known := append([]string{"metadata.name", "metadata.namespace"}, k.Fields...)
		if !slices.Contains(known, requirement.Field) {
			return s, apierrors.NewBadRequest("field label not supported: " + requirement.Field)
		}
	}
	if r.Name != "" {
		s.fields = fields.AndSelectors(s.fields, fields.OneTermEqualSelector("metadata.name", r.Name))
	}
	return s, nil
}
