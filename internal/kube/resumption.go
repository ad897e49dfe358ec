package kube

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// resumptionKey stands beside the record in its ConfigMap, so that both are written by one compare-and-swap: a run that
// takes the rollout up, and a server that starts a run to do so, cannot both have read what was there before.
const resumptionKey = "resumption.json"

// Resume reads how far somebody is with starting the run that takes up a canary's rollout, and writes what change makes of
// it if that is anything else. The record stays as it is. change may be called several times.
func (c *Client) Resume(ctx context.Context, of Whose, change func(rollout.Record, rollout.Resumption) rollout.Resumption) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	named := &canary.Canary{}
	named.Name, named.Namespace = of.Canary, of.Namespace
	j := NewJournal(c, named)
	for {
		record, err := j.Load(ctx)
		if err != nil || j.live == nil {
			return err
		}
		was, old := rollout.Resumption{}, ""
		if old, _, _ = unstructured.NestedString(j.live.Object, "data", resumptionKey); old != "" && json.Unmarshal([]byte(old), &was) != nil {
			return fmt.Errorf("%w: the record %q: its %s is damaged; take that out of the ConfigMap to start over", ErrRefused, ObjectName(named), resumptionKey)
		}
		next := change(record, was)
		if next == was {
			return nil
		}
		text, err := json.Marshal(next)
		if err != nil {
			return err
		}
		object := j.live.DeepCopy() // with its resourceVersion, which makes this a compare-and-swap
		if err := unstructured.SetNestedField(object.Object, string(text), "data", resumptionKey); err != nil {
			return err
		}
		_, err = j.configMaps().Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) || !giveWay(ctx) {
			return fmt.Errorf("write the resumption of %q: %w", ObjectName(named), err)
		}
	}
}
