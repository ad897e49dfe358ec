package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// servePatch does a patch of any kind, and says whether it created the object, which only an apply can.
func (a *API) servePatch(k *apiKind, r APIRequest) (any, bool, error) {
	data, err := readAll(r.HTTP)
	if err != nil {
		return nil, false, err
	}
	media, _, _ := mime.ParseMediaType(r.HTTP.Header.Get("Content-Type"))
	patch := types.PatchType(media)
	if patch == types.ApplyPatchType {
		return a.serveApply(k, r, data)
	}
	if r.Subresource == "scale" {
		object, err := a.patchScale(k, r, patching(&apiKind{Kind: scaleKind(), builtin: true}, patch, data))
		return object, false, err
	}
	object, err := a.update(k, r.object(), writeOf(r), func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		patched, err := patching(k, patch, data)(live)
		if err != nil {
			return nil, err
		}
		return patched, fits(k, r, patched)
	})
	return object, false, err
}

// patching returns the change that a patch makes.
func patching(k *apiKind, kind types.PatchType, data []byte) change {
	return func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := json.Marshal(live)
		if err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		after, err := patchJSON(k, kind, patchInput{before, data})
		if err != nil {
			return nil, err
		}
		return decodeObject(after)
	}
}

// patchInput is a document and what to do to it.
type patchInput struct{ document, patch []byte }

func patchJSON(k *apiKind, kind types.PatchType, in patchInput) ([]byte, error) {
	switch {
	case kind == types.JSONPatchType:
		operations, err := jsonpatch.DecodePatch(in.patch)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		after, err := operations.Apply(in.document)
		if err != nil {
			return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", k.GVR().GroupResource(), "", err.Error(), 0, false)
		}
		return after, nil
	case kind == types.MergePatchType:
		after, err := jsonpatch.MergePatch(in.document, in.patch)
		return after, badPatch(err)
	case kind == types.StrategicMergePatchType && k.builtin:
		typed, err := builtinScheme().New(k.GroupVersionKind)
		if err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		after, err := strategicpatch.StrategicMergePatch(in.document, in.patch, typed)
		return after, badPatch(err)
	}
	return nil, unsupportedMedia(string(kind))
}

func badPatch(err error) error {
	if err == nil {
		return nil
	}
	return apierrors.NewBadRequest(err.Error())
}

// serveApply is server-side apply over HTTP.
func (a *API) serveApply(k *apiKind, r APIRequest, data []byte) (any, bool, error) {
	data, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, false, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	object, err := decodeObject(data)
	if err != nil {
		return nil, false, err
	}
	query, w := r.HTTP.URL.Query(), writeOf(r)
	if query.Get("fieldManager") == "" {
		return nil, false, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("PatchOptions").GroupKind(), "", field.ErrorList{
			field.Required(field.NewPath("fieldManager"), "is required for apply patch")})
	}
	patch := applyPatch{object: object, manager: w.manager, subresource: r.Subresource, force: query.Get("force") == "true"}
	if r.Subresource == "scale" {
		if patch.object, err = unscale(k, r, object); err != nil {
			return nil, false, err
		}
	}
	if err := fits(k, r, patch.object); err != nil {
		return nil, false, err
	}
	applied, created, err := a.apply(k, patch, w)
	if err == nil && r.Subresource == "scale" {
		scale, err := scaleOf(k, applied)
		return scale, false, err
	}
	return applied, created, err
}

// apply merges a patch into the object, or creates it.
func (a *API) apply(k *apiKind, patch applyPatch, w apiWrite) (*unstructured.Unstructured, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.applied, w.subresource = true, patch.subresource
	key := apiKey{gvr: k.GVR(), namespace: patch.object.GetNamespace(), name: patch.object.GetName()}
	if a.objects[key] == nil && patch.subresource == "" {
		object, err := a.applyNew(k, patch, w)
		return object, err == nil, err
	}
	object, err := a.updateLocked(k, key, w, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		merged, err := mergeApply(k, live, patch)
		if err != nil {
			return nil, err
		}
		if merged.GetResourceVersion() == "" {
			merged.SetResourceVersion(live.GetResourceVersion())
		}
		return merged, nil
	})
	return object, false, err
}

func (a *API) applyNew(k *apiKind, patch applyPatch, w apiWrite) (*unstructured.Unstructured, error) {
	if patch.object.GetResourceVersion() != "" || patch.object.GetUID() != "" {
		return nil, apierrors.NewConflict(k.GVR().GroupResource(), patch.object.GetName(),
			errors.New("the object to apply to by resourceVersion or uid does not exist"))
	}
	object, err := mergeApply(k, emptyObject(k.GroupVersionKind), patch)
	if err != nil {
		return nil, err
	}
	return a.createLocked(k, object, w)
}
