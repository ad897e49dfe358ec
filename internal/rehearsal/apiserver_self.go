package rehearsal

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func isSelfReview(r APIRequest) bool {
	return r.Verb == "create" && r.Resource.Group == authenticationv1.GroupName && r.Resource.Resource == "selfsubjectreviews"
}

// reviewSelf answers who the user is.
func reviewSelf(r APIRequest) authenticationv1.SelfSubjectReview {
	return authenticationv1.SelfSubjectReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authenticationv1.SchemeGroupVersion.String(), Kind: "SelfSubjectReview"},
		Status:   authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: r.User}},
	}
}
