package workload

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

// Adopt returns the JSON patch that hands a primary made by another client, such as Flagger, to a server-side apply field
// manager, or nil when there is nothing to hand over. Without it, a field that the next revision no longer has would stay
// in the primary, because its first owner still wants it, and the primary would never become a copy of the target.
//
// Only clients that wrote a part of the pod template are relieved; an autoscaler keeps the replicas. The patch carries
// the resourceVersion, so that a concurrent change is a conflict.
func Adopt(primary *unstructured.Unstructured, manager string) ([]byte, error) {
	writers := sets.New[string]()
	for _, entry := range primary.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" &&
			entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.GetRawString(), `"f:template"`) {
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
