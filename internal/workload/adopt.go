package workload

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

// templateField is in the managed fields of whoever wrote a part of a pod template.
const templateField = `"f:template"`

// Adopt returns the JSON patch that hands a primary, or one of the Services, made by another client, such as Flagger, to a server-side apply field
// manager, or nil when there is nothing to hand over. Without it, a field that the next revision no longer has would stay
// in the primary, because its first owner still wants it, and the primary would never become a copy of the target.
//
// Only clients that wrote a part of the pod template, or the ports of a Service, are relieved; an autoscaler keeps the
// replicas. The patch carries the resourceVersion, so that a concurrent change is a conflict.
func Adopt(primary *unstructured.Unstructured, manager string) ([]byte, error) {
	content, err := contentOf(primary)
	if err != nil {
		return nil, fmt.Errorf("adopt %q: kind %w", primary.GetNamespace()+"/"+primary.GetName(), err)
	}
	writers := sets.New[string]()
	for _, entry := range primary.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" &&
			entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.GetRawString(), content) {
			writers.Insert(entry.Manager)
		}
	}
	if len(writers) == 0 {
		return nil, nil
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(primary, writers, manager)
	if err != nil {
		return nil, fmt.Errorf("adopt %s %q: %w", primary.GetKind(), primary.GetNamespace()+"/"+primary.GetName(), err)
	}
	return patch, nil
}

// contentOf is in the managed fields of whoever wrote the part of an object that a copy replaces.
func contentOf(o *unstructured.Unstructured) (string, error) {
	if IsScaler(o.GroupVersionKind().GroupKind()) {
		return `"f:scaleTargetRef"`, nil
	}
	k, err := kindFor(o.GetAPIVersion(), o.GetKind())
	return k.content, err
}
