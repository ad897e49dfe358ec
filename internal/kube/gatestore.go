package kube

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
)

const (
	gateOpen = "open" // the value of an open gate; with any other, or none, it is closed
)

// GateStore keeps gates in the ConfigMap penstock.gates of the canary's namespace, one key for each that is open, so that
// it outlives the process, several replicas share it, and kubectl can read and mend it. Writing is a compare-and-swap.
// It is safe for concurrent use.
type GateStore struct {
	client  *Client
	writing chan struct{} // one at a time, lest the requests of one process get in each other's way
}

// NewGateStore returns the gates of a cluster. It makes no request.
func NewGateStore(c *Client) *GateStore {
	return &GateStore{client: c, writing: make(chan struct{}, 1)}
}

// Get reports whether a gate is open. It always asks the cluster: another replica may have closed it.
func (s *GateStore) Get(ctx context.Context, g canary.Gate) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	live, err := s.read(ctx, g)
	if err != nil {
		return false, err
	}
	return isOpen(live, g), nil
}

// Set opens or closes a gate, and lets all others be.
func (s *GateStore) Set(ctx context.Context, g canary.Gate, open bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return fmt.Errorf("write the %s: wait for the write before it: %w", g, ctx.Err())
	}
	for {
		live, err := s.read(ctx, g)
		if err != nil {
			return err
		}
		if isOpen(live, g) == open {
			return nil
		}
		if err = s.write(ctx, live, g, open); err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) || !giveWay(ctx) {
			return fmt.Errorf("write the %s to the ConfigMap %q: %w", g, manifest.GatesName, err)
		}
	}
}

// giveWay lets others write first, who were faster. It is false when there is no time left.
func giveWay(ctx context.Context) bool {
	timer := time.NewTimer(time.Millisecond + rand.N(20*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// read returns the ConfigMap, or nil when there is none.
func (s *GateStore) read(ctx context.Context, g canary.Gate) (*unstructured.Unstructured, error) {
	live, err := s.client.dynamic.Resource(configMapGVR).Namespace(g.Namespace).Get(ctx, manifest.GatesName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s from the ConfigMap %q: %w", g, manifest.GatesName, err)
	}
	return live, nil
}

func (s *GateStore) write(ctx context.Context, live *unstructured.Unstructured, g canary.Gate, open bool) error {
	maps := s.client.dynamic.Resource(configMapGVR).Namespace(g.Namespace)
	if live == nil { // and the gate is to be opened, since without a ConfigMap all are closed
		ref := canary.Ref{GroupVersionResource: configMapGVR, Kind: "ConfigMap", Namespace: g.Namespace, Name: manifest.GatesName}
		object := ref.New()
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": FieldManager})
		object.Object["data"] = map[string]any{gateKey(g): gateOpen}
		_, err := maps.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
		return err
	}
	if open {
		if err := unstructured.SetNestedField(live.Object, gateOpen, "data", gateKey(g)); err != nil {
			return err
		}
	} else {
		unstructured.RemoveNestedField(live.Object, "data", gateKey(g))
	}
	_, err := maps.Update(ctx, live, metav1.UpdateOptions{FieldManager: FieldManager})
	return err
}

func isOpen(live *unstructured.Unstructured, g canary.Gate) bool {
	if live == nil {
		return false
	}
	value, _, _ := unstructured.NestedString(live.Object, "data", gateKey(g))
	return value == gateOpen
}

// gateKey is the gate's key in the ConfigMap. The prefix comes first, so that no name of a canary can pretend one.
func gateKey(g canary.Gate) string {
	if g.Rollback {
		return "rollback." + g.Name
	}
	return "gate." + g.Name
}
