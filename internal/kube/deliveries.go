package kube

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/manifest"
)

const (
	deliveriesKey = "deliveries" // in binaryData

	// deliveriesTries is how often a write is begun anew that others get in the way of. Several replicas write several
	// times a second, and one of those that write at the same moment always gets through.
	deliveriesTries = 20
)

// Deliveries is the document in which the replicas of the webhook server share what came. Writing is a compare-and-swap,
// so that they lose and double nothing.
type Deliveries struct {
	client    *Client
	namespace string
}

// NewDeliveries returns the document in a namespace. It makes no request.
func NewDeliveries(c *Client, namespace string) *Deliveries {
	return &Deliveries{client: c, namespace: namespace}
}

// Update reads the document, which is empty when there is none, has it changed, and writes it when that made another.
// When somebody else has written meanwhile it begins anew: change may be called several times.
func (d *Deliveries) Update(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var err error
	for range deliveriesTries {
		var live *unstructured.Unstructured
		var old, next []byte
		if live, old, err = d.read(ctx); err != nil {
			return err
		}
		if next, err = change(old); err != nil {
			return err
		}
		if bytes.Equal(old, next) {
			return nil
		}
		err = d.write(ctx, live, next)
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("write ConfigMap %q: %w", d.namespace+"/"+manifest.DeliveriesName, err)
}

func (d *Deliveries) read(ctx context.Context) (*unstructured.Unstructured, []byte, error) {
	name := d.namespace + "/" + manifest.DeliveriesName
	live, err := d.client.dynamic.Resource(configMapGVR).Namespace(d.namespace).Get(ctx, manifest.DeliveriesName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read ConfigMap %q: %w", name, err)
	}
	encoded, _, _ := unstructured.NestedString(live.Object, "binaryData", deliveriesKey)
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: ConfigMap %q: %s is damaged; delete the ConfigMap to start over", ErrRefused, name, deliveriesKey)
	}
	return live, text, nil
}

func (d *Deliveries) write(ctx context.Context, live *unstructured.Unstructured, text []byte) error {
	maps := d.client.dynamic.Resource(configMapGVR).Namespace(d.namespace)
	data := map[string]any{deliveriesKey: base64.StdEncoding.EncodeToString(text)}
	if live == nil {
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "binaryData": data}}
		object.SetName(manifest.DeliveriesName)
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": FieldManager})
		_, err := maps.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
		return err
	}
	object := live.DeepCopy() // with its resourceVersion, which makes this a compare-and-swap
	object.Object["binaryData"] = data
	_, err := maps.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	return err
}
