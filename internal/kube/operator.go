package kube

import (
	"context"
	"fmt"

	authentication "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/approval"
)

// WhoAmI asks the API server by which name it knows who asks.
func (c *Client) WhoAmI(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	gvr := schema.GroupVersionResource{Group: authentication.GroupName, Version: "v1", Resource: "selfsubjectreviews"}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gvr.GroupVersion().WithKind("SelfSubjectReview"))
	var answer *unstructured.Unstructured
	err := persist(ctx, func(ctx context.Context) (err error) {
		answer, err = c.dynamic.Resource(gvr).Create(ctx, object, metav1.CreateOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("%w: the cluster at %s does not say who asks; that takes Kubernetes 1.28", ErrRefused, c.Host)
	case err != nil && permanent(err):
		return "", fmt.Errorf("%w: ask who this is: %w", ErrRefused, err)
	case err != nil:
		return "", fmt.Errorf("ask the cluster at %s who this is: %w", c.Host, err)
	}
	var review authentication.SelfSubjectReview
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, &review); err != nil {
		return "", fmt.Errorf("read who this is: %w", err)
	}
	if review.Status.UserInfo.Username == "" {
		return "", fmt.Errorf("%w: the cluster at %s knows no name for who asks", ErrRefused, c.Host)
	}
	return review.Status.UserInfo.Username, nil
}

// Say enters what an operator says in the decisions of a canary, where its run hears it. It returns the decision that was
// made of it.
func (c *Client) Say(ctx context.Context, n approval.Notice, o approval.Operator) (approval.Decision, approval.Log, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	event := approval.EventOf(n, o)
	log, err := c.decisionsOf(n).Update(ctx, func(l approval.Log) approval.Log { return approval.Reduce(l, n.Gate, n.Policy, event) })
	if err != nil {
		if permanent(err) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return approval.Decision{}, approval.Log{}, err
	}
	d, entered := log.LastOf(event)
	if !entered {
		return d, log, fmt.Errorf("%w: the decisions of %s/%s did not take it up", ErrRefused, n.Namespace, n.Canary)
	}
	return d, log, nil
}
