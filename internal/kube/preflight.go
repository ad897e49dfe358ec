package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	authorization "k8s.io/api/authorization/v1"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// Permission is one verb on one resource that a run needs.
type Permission = manifest.Permission

// Permissions lists what a run of this canary does, and nothing more. Which ConfigMaps and Secrets it reads and copies is
// known, and asked for, once the target has been read; see Start.
func (w *World) Permissions() []Permission {
	subject := w.subject()
	return append(manifest.Permissions(subject.Run()), w.configPermissions()...)
}

// Preflight asks the API server whether this run may do what it needs, before anything is touched. Every missing
// permission is named.
func (w *World) Preflight(ctx context.Context) error { return w.require(ctx, w.Permissions()) }

func (w *World) require(ctx context.Context, permissions []Permission) error {
	return w.client.require(ctx, permissions, errors.New("`penstock render rbac` prints the role that grants what a run needs"))
}

// Require asks whether a server may do what it needs. Every missing permission is named.
func (c *Client) Require(ctx context.Context, needs []manifest.Need) error {
	return c.require(ctx, manifest.Permissions(needs), errors.New("`penstock render server` prints the roles that grant what a server needs"))
}

// require names every permission that is missing, and then what helps.
func (c *Client) require(ctx context.Context, permissions []Permission, helps error) error {
	all, err := c.granted(ctx, permissions)
	if err != nil {
		return err
	}
	var missing []error
	for i := range all {
		if !all[i].Allowed {
			missing = append(missing, fmt.Errorf("no permission to %s%s", all[i].Permission, all[i].Why))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrRefused, errors.Join(append(missing, helps)...))
}

// grants reports whether a rule grants a permission to every object that it is needed for.
func grants(r authorization.ResourceRule, p Permission) bool {
	resource := p.Resource
	if p.Subresource != "" {
		resource += "/" + p.Subresource
	}
	has := func(list []string, wanted ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == "*" || slices.Contains(wanted, s) })
	}
	named := p.Name != "" && slices.Contains(r.ResourceNames, p.Name)
	return (len(r.ResourceNames) == 0 || named) && has(r.Verbs, p.Verb) && has(r.APIGroups, p.Group) &&
		has(r.Resources, resource, "*/"+p.Subresource)
}

// rules asks for everything that this run may do in a namespace: one request instead of one per permission. A server
// that does not answer it is asked one by one.
func (c *Client) rules(ctx context.Context, namespace string) []authorization.ResourceRule {
	review := &authorization.SelfSubjectRulesReview{Spec: authorization.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	if err := c.review(ctx, "SelfSubjectRulesReview", "selfsubjectrulesreviews", review); err != nil {
		return nil
	}
	return review.Status.ResourceRules
}

func (c *Client) allowed(ctx context.Context, p Permission) (bool, string, error) {
	review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorization.ResourceAttributes{
			Namespace: p.Namespace, Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource, Name: p.Name,
		},
	}}
	err := c.review(ctx, "SelfSubjectAccessReview", "selfsubjectaccessreviews", review)
	why := ""
	if review.Status.Reason != "" {
		why = " (" + review.Status.Reason + ")"
	}
	return review.Status.Allowed, why, err
}

// review creates a review and reads its answer back into it.
func (c *Client) review(ctx context.Context, kind, resource string, review any) error {
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(review)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{Object: body}
	gvr := schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: resource}
	object.SetGroupVersionKind(gvr.GroupVersion().WithKind(kind))
	var answer *unstructured.Unstructured
	err = persist(ctx, func(ctx context.Context) (err error) {
		answer, err = c.dynamic.Resource(gvr).Create(ctx, object, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, review)
}
