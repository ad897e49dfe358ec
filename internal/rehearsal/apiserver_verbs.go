package rehearsal

import (
	"fmt"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func (r APIRequest) object() apiKey {
	return apiKey{gvr: r.Resource, namespace: r.Namespace, name: r.Name}
}

// writeOf reads how a write is to be done.
func writeOf(r APIRequest) apiWrite {
	query := r.HTTP.URL.Query()
	manager := query.Get("fieldManager")
	if manager == "" {
		manager = managerOf(r.HTTP)
	}
	return apiWrite{
		manager:     manager,
		subresource: r.Subresource,
		dryRun:      query.Get("dryRun") == metav1.DryRunAll,
		strict:      query.Get("fieldValidation") == metav1.FieldValidationStrict,
	}
}

// managerOf names a client that does not say who manages fields: by its user agent, up to the first slash.
func managerOf(r *http.Request) string {
	agent := r.UserAgent()
	for i, c := range agent {
		if c == '/' {
			return agent[:i]
		}
	}
	if agent == "" {
		return "unknown"
	}
	return agent
}

func (a *API) serveGet(k *apiKind, r APIRequest) (any, error) {
	live, err := a.find(k, r.object())
	if err != nil {
		return nil, err
	}
	if r.Subresource == "scale" {
		return scaleOf(k, live)
	}
	return live, nil
}

// find returns the object itself, not a copy. Any namespace exists.
func (a *API) find(k *apiKind, key apiKey) (*unstructured.Unstructured, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if key.gvr == corev1.SchemeGroupVersion.WithResource("namespaces") {
		a.ensureNamespace(key.name)
	}
	if live := a.objects[key]; live != nil {
		return live, nil
	}
	return nil, apierrors.NewNotFound(k.GVR().GroupResource(), key.name)
}

func (a *API) serveList(k *apiKind, r APIRequest) (any, error) {
	selection, err := parseSelection(k, r)
	if err != nil {
		return nil, err
	}
	found, version := a.snapshot(selection)
	return listOf(k, found, version), nil
}

// listOf makes a list of objects; an empty one has items: [], not null.
func listOf(k *apiKind, found []*unstructured.Unstructured, version int64) map[string]any {
	contents := make([]any, 0, len(found))
	for _, object := range found {
		contents = append(contents, object.Object)
	}
	return map[string]any{
		"apiVersion": k.GroupVersion().String(),
		"kind":       k.Kind.Kind + "List",
		"metadata":   map[string]any{"resourceVersion": strconv.FormatInt(version, 10)},
		"items":      contents,
	}
}

func (a *API) serveCreate(k *apiKind, r APIRequest) (any, error) {
	object, err := readObject(k, r)
	if err != nil {
		return nil, err
	}
	return a.create(k, object, writeOf(r))
}

// readObject decodes the body and holds it against the path.
func readObject(k *apiKind, r APIRequest) (*unstructured.Unstructured, error) {
	object, err := readBody(r.HTTP)
	if err != nil {
		return nil, err
	}
	if err := fits(k, r, object); err != nil {
		return nil, err
	}
	return object, nil
}

// fits checks that an object is of the kind, in the namespace and of the name that the path says, and fills in what
// the object leaves out.
func fits(k *apiKind, r APIRequest, object *unstructured.Unstructured) error {
	if object.GetKind() == "" && object.GetAPIVersion() == "" && k.builtin {
		object.SetGroupVersionKind(k.GroupVersionKind)
	}
	if sent := object.GroupVersionKind(); sent != k.GroupVersionKind {
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) or its kind (%s) does not match the expected %s, kind %s",
			object.GetAPIVersion(), object.GetKind(), k.GroupVersion(), k.Kind.Kind))
	}
	if object.GetNamespace() == "" && k.Namespaced {
		object.SetNamespace(r.Namespace)
	}
	if object.GetNamespace() != r.Namespace {
		return apierrors.NewBadRequest(fmt.Sprintf("the namespace of the provided object does not match the namespace sent on the request (%q, %q)",
			object.GetNamespace(), r.Namespace))
	}
	if r.Name != "" && object.GetName() == "" {
		object.SetName(r.Name)
	}
	if r.Name != "" && object.GetName() != r.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", object.GetName(), r.Name))
	}
	return nil
}

func (a *API) serveUpdate(k *apiKind, r APIRequest) (any, error) {
	if r.Subresource == "scale" {
		return a.updateScale(k, r)
	}
	object, err := readObject(k, r)
	if err != nil {
		return nil, err
	}
	return a.update(k, r.object(), writeOf(r), func(*unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return object, nil
	})
}

func (a *API) serveDelete(k *apiKind, r APIRequest) (any, error) {
	options, err := readDeleteOptions(r.HTTP)
	if err != nil {
		return nil, err
	}
	gone, err := a.drop(k, r.object(), options)
	if err != nil {
		return nil, err
	}
	return deleted(k, gone), nil
}

func readDeleteOptions(r *http.Request) (metav1.DeleteOptions, error) {
	options := metav1.DeleteOptions{}
	body, err := readBody(r)
	if err != nil {
		return options, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(body.Object, &options); err != nil {
		return options, apierrors.NewBadRequest("read delete options: " + err.Error())
	}
	query := r.URL.Query()
	if policy := metav1.DeletionPropagation(query.Get("propagationPolicy")); policy != "" {
		options.PropagationPolicy = &policy
	}
	if dry := query["dryRun"]; len(dry) > 0 {
		options.DryRun = dry
	}
	return options, nil
}

// deleted is the answer to a deletion: the object when finalizers still hold it, else that it is done.
func deleted(k *apiKind, gone *unstructured.Unstructured) any {
	if len(gone.GetFinalizers()) > 0 {
		return gone
	}
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Details:  &metav1.StatusDetails{Name: gone.GetName(), Group: k.Group, Kind: k.Resource, UID: gone.GetUID()},
	}
}

func (a *API) serveDeleteCollection(k *apiKind, r APIRequest) (any, error) {
	selection, err := parseSelection(k, r)
	if err != nil {
		return nil, err
	}
	options, err := readDeleteOptions(r.HTTP)
	if err != nil {
		return nil, err
	}
	found, version := a.snapshot(selection)
	for _, object := range found {
		key := apiKey{gvr: k.GVR(), namespace: object.GetNamespace(), name: object.GetName()}
		if _, err := a.drop(k, key, options); err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	return listOf(k, found, version), nil
}
