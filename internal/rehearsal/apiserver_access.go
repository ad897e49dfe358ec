package rehearsal

import (
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const accessReviews = "selfsubjectaccessreviews"

func isAccessReview(r APIRequest) bool {
	return r.Verb == "create" && r.Resource.Group == authorizationv1.GroupName && r.Resource.Resource == accessReviews
}

// reviewAccess answers whether the user may do something: what the hook does not deny is allowed.
func reviewAccess(r APIRequest, hooks apiHooks) (any, error) {
	object, err := readBody(r.HTTP)
	if err != nil {
		return nil, err
	}
	review := authorizationv1.SelfSubjectAccessReview{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &review); err != nil {
		return nil, apierrors.NewBadRequest("read access review: " + err.Error())
	}
	review.TypeMeta = metav1.TypeMeta{APIVersion: authorizationv1.SchemeGroupVersion.String(), Kind: "SelfSubjectAccessReview"}
	review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	if asked := review.Spec.ResourceAttributes; asked != nil && hooks.denied(askedRequest(r.User, *asked)) {
		review.Status = authorizationv1.SubjectAccessReviewStatus{Reason: "no RBAC policy matched"}
	}
	return review, nil
}

// askedRequest is the request that a review asks about.
func askedRequest(user string, asked authorizationv1.ResourceAttributes) APIRequest {
	resource, sub, _ := strings.Cut(asked.Resource, "/")
	if asked.Subresource != "" {
		sub = asked.Subresource
	}
	return APIRequest{
		Verb:        asked.Verb,
		Resource:    schema.GroupVersionResource{Group: asked.Group, Version: asked.Version, Resource: resource},
		Subresource: sub,
		Namespace:   asked.Namespace,
		Name:        asked.Name,
		User:        user,
	}
}
