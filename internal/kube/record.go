package kube

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const recordKey = "record.json"

var configMapGVR = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// ObjectName is the name of everything that Penstock keeps about a canary: its record and its lease.
func ObjectName(c *canary.Canary) string { return manifest.ObjectName(c) }

// Journal keeps the record of one canary in a ConfigMap. Every write is a compare-and-swap: a run that was superseded,
// and does not know it yet, fails to save and so never touches the world again.
type Journal struct {
	client *Client
	canary *canary.Canary
	live   *unstructured.Unstructured // as last read or written; nil when there is none
	epoch  int64                      // of the record in it
}

// NewJournal returns the journal of a canary.
func NewJournal(c *Client, cn *canary.Canary) *Journal { return &Journal{client: c, canary: cn} }

func (j *Journal) configMaps() dynamic.ResourceInterface {
	return j.client.dynamic.Resource(configMapGVR).Namespace(j.canary.Namespace)
}

// Load reads the record. One that does not exist is the zero record.
func (j *Journal) Load(ctx context.Context) (rollout.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var record rollout.Record
	live, err := j.configMaps().Get(ctx, ObjectName(j.canary), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		j.live, j.epoch = nil, 0
		return record, nil
	}
	if err != nil {
		return record, fmt.Errorf("read the record %q: %w", ObjectName(j.canary), err)
	}
	j.live, j.epoch = live, 0
	text, _, _ := unstructured.NestedString(live.Object, "data", recordKey)
	if text == "" {
		return record, nil
	}
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return record, fmt.Errorf("%w: the record %q: its %s is damaged: %w; delete the ConfigMap to start over", ErrRefused, ObjectName(j.canary), recordKey, err)
	}
	j.epoch = record.Epoch
	return record, nil
}

// Save writes the record, unless one of a later epoch is there.
func (j *Journal) Save(ctx context.Context, record rollout.Record) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("save the record %q: %w", ObjectName(j.canary), err)
	}
	for range 3 {
		if j.epoch > record.Epoch {
			return ErrSuperseded
		}
		err = j.put(ctx, string(body))
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
		// Somebody else wrote or deleted it, or our own last write arrived although its answer was lost.
		if _, loadErr := j.Load(ctx); loadErr != nil {
			return loadErr
		}
	}
	if err != nil {
		return fmt.Errorf("save the record %q: %w", ObjectName(j.canary), err)
	}
	return nil
}

func (j *Journal) put(ctx context.Context, body string) error {
	if j.live == nil {
		object := j.canary.RefOf(configMapGVR, "ConfigMap", ObjectName(j.canary)).New()
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": FieldManager})
		object.SetOwnerReferences(owners(j.canary))
		object.Object["data"] = map[string]any{recordKey: body}
		live, err := j.configMaps().Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
		if err == nil {
			j.live = live
		}
		return err
	}
	object := j.live.DeepCopy()
	if err := unstructured.SetNestedField(object.Object, body, "data", recordKey); err != nil {
		return err
	}
	live, err := j.configMaps().Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	if err == nil {
		j.live = live
	}
	return err
}

// owners lets the record go with the Canary object, where there is one.
func owners(c *canary.Canary) []metav1.OwnerReference {
	if c.UID == "" {
		return nil
	}
	return []metav1.OwnerReference{{APIVersion: canary.APIVersion, Kind: "Canary", Name: c.Name, UID: c.UID}}
}
