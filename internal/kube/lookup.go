package kube

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// ErrRefused means that the cluster will say no however often it is asked: a permission is missing, or a kind of object
// is not served.
var ErrRefused = errors.New("the cluster refuses")

var (
	templateGVR = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "metrictemplates"}
	providerGVR = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "alertproviders"}
	secretGVR   = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

// Template reads a MetricTemplate. One that does not exist, or a cluster without its CRD, is nil.
func (c *Client) Template(ctx context.Context, namespace, name string) (*canary.MetricTemplate, error) {
	live, err := c.get(ctx, templateGVR, namespace, name)
	if err != nil || live == nil {
		return nil, err
	}
	t, err := canary.TemplateFromObject(live)
	if err != nil {
		return nil, fmt.Errorf("%w: MetricTemplate %q in the cluster: %w", ErrRefused, namespace+"/"+name, err)
	}
	return t, nil
}

// AlertProvider reads an AlertProvider. One that does not exist, or a cluster without its CRD, is nil.
func (c *Client) AlertProvider(ctx context.Context, namespace, name string) (*canary.AlertProvider, error) {
	live, err := c.get(ctx, providerGVR, namespace, name)
	if err != nil || live == nil {
		return nil, err
	}
	p, err := canary.ProviderFromObject(live)
	if err != nil {
		return nil, fmt.Errorf("%w: AlertProvider %q in the cluster: %w", ErrRefused, namespace+"/"+name, err)
	}
	return p, nil
}

// Secret reads the data of a Secret. One that does not exist is an error.
func (c *Client) Secret(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	live, err := c.get(ctx, secretGVR, namespace, name)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return nil, fmt.Errorf("secret %q does not exist", namespace+"/"+name)
	}
	encoded, _, _ := unstructured.NestedStringMap(live.Object, "data")
	data := map[string][]byte{}
	for key, text := range encoded {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("secret %q: key %q is not base64", namespace+"/"+name, key)
		}
		data[key] = value
	}
	return data, nil
}

func (c *Client) get(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var live *unstructured.Unstructured
	err := persist(ctx, func(ctx context.Context) (err error) {
		live, err = c.dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // documented by the callers
	case err != nil && permanent(err):
		return nil, fmt.Errorf("%w: read %s %q: %w", ErrRefused, gvr.Resource, namespace+"/"+name, err)
	case err != nil:
		return nil, fmt.Errorf("read %s %q at %s: %w", gvr.Resource, namespace+"/"+name, c.Host, err)
	}
	return live, nil
}

// CheckImages reports containers that the target does not have.
func (w *World) CheckImages(images map[string]string) error {
	live, _ := w.store.snapshot()
	target, err := workload.FromObject(live[w.refs.Target])
	if err != nil || target == nil || len(images) == 0 {
		return err
	}
	_, err = workload.SetImage(target, images)
	return err
}
