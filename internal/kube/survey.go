package kube

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

var namespaceGVR = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// Survey reads what tells which router a canary is for: the APIs that the cluster serves, the target, its namespace, and
// the Ingress that the canary names. What this run may not read is left out, since it needs no permission for it
// otherwise; what the cluster does not answer is an error.
func (c *Client) Survey(ctx context.Context, can *canary.Canary) (traffic.Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var cluster traffic.Cluster
	var err error
	if cluster.Groups, err = c.groups(ctx); err != nil {
		return cluster, err
	}
	refs, err := workload.RefsFor(can)
	if err != nil {
		return cluster, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	type wanted struct {
		into      **unstructured.Unstructured
		gvr       schema.GroupVersionResource
		namespace string
		name      string
	}
	looks := []wanted{
		{&cluster.Target, refs.Target.GroupVersionResource, refs.Target.Namespace, refs.Target.Name},
		{&cluster.Namespace, namespaceGVR, "", can.Namespace},
	}
	if can.Spec.IngressRef != nil {
		gvr := networkingv1.SchemeGroupVersion.WithResource("ingresses")
		looks = append(looks, wanted{&cluster.Ingress, gvr, can.Namespace, can.Spec.IngressRef.Name})
	}
	for _, look := range looks {
		live, err := c.get(ctx, look.gvr, look.namespace, look.name)
		if err != nil && !apierrors.IsForbidden(err) {
			return cluster, err
		}
		*look.into = live
	}
	return cluster, nil
}

// groups returns the versions that the API server serves, by API group.
func (c *Client) groups(ctx context.Context) (map[string][]string, error) {
	client, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", c.Host, err)
	}
	var list metav1.APIGroupList
	if err := client.RESTClient().Get().AbsPath("/apis").SetHeader("Accept", "application/json").Do(ctx).Into(&list); err != nil {
		return nil, fmt.Errorf("ask the cluster at %s which APIs it serves: %w", c.Host, err)
	}
	groups := map[string][]string{}
	for _, group := range list.Groups {
		for _, version := range group.Versions {
			groups[group.Name] = append(groups[group.Name], version.Version)
		}
	}
	return groups, nil
}
