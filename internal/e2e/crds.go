package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func crdResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}

// A crdRoom is held by tests that need Flagger's definitions or by tests that need their absence, never by both.
type crdRoom struct {
	mu        sync.Mutex
	changed   *sync.Cond
	holders   int
	installed bool
}

func (c *Cluster) installGatewayAPI(ctx context.Context) error {
	dir, err := moduleDir(ctx, "tools/crds", "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	for _, kind := range []string{"gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants"} {
		file := filepath.Join(dir, "config/crd/standard", "gateway.networking.k8s.io_"+kind+".yaml")
		if err := c.installCRDs(ctx, file); err != nil {
			return err
		}
	}
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": map[string]any{"name": "e2e"},
		"spec": map[string]any{"controllerName": GatewayController},
	}}
	if _, err := c.Dynamic.Resource(gatewayResource("gatewayclasses")).Create(ctx, class, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create the gateway class: %w", err)
	}
	return nil
}

// InstallFlaggerCRDs makes sure that Canary, MetricTemplate and AlertProvider exist until the test ends. It waits for
// tests that called WithoutFlaggerCRDs; a test, its parents and its subtests together call one of the two, once.
func (c *Cluster) InstallFlaggerCRDs(t testing.TB) { c.enter(t, true) }

// WithoutFlaggerCRDs makes sure that Flagger's definitions do not exist until the test ends.
func (c *Cluster) WithoutFlaggerCRDs(t testing.TB) { c.enter(t, false) }

func (c *Cluster) enter(t testing.TB, wanted bool) {
	t.Helper()
	room := &c.crds
	room.mu.Lock()
	defer room.mu.Unlock()
	if room.changed == nil {
		room.changed = sync.NewCond(&room.mu)
	}
	for room.holders > 0 && room.installed != wanted {
		room.changed.Wait()
	}
	// Changed under the lock: whoever waits for the room must find it as it says it is.
	if err := c.setFlaggerCRDs(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	room.holders, room.installed = room.holders+1, wanted
	t.Cleanup(func() {
		room.mu.Lock()
		defer room.mu.Unlock()
		room.holders--
		room.changed.Broadcast()
	})
}

func (c *Cluster) setFlaggerCRDs(ctx context.Context, wanted bool) error {
	dir, err := moduleDir(ctx, "tools/crds", "github.com/fluxcd/flagger")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "artifacts/flagger/crd.yaml")
	if wanted {
		return c.installCRDs(ctx, file)
	}
	return c.removeCRDs(ctx, file)
}

// installCRDs creates the definitions in a file and waits until the API server serves them.
func (c *Cluster) installCRDs(ctx context.Context, file string) error {
	crds, err := readObjects(file)
	if err != nil {
		return err
	}
	for _, crd := range crds {
		_, err := c.Dynamic.Resource(crdResource()).Create(ctx, crd, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create CRD %s: %w", crd.GetName(), err)
		}
	}
	for _, crd := range crds {
		err := await(ctx, "CRD "+crd.GetName()+" to be served", func(ctx context.Context) error {
			_, err := c.Dynamic.Resource(served(crd)).List(ctx, metav1.ListOptions{Limit: 1})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeCRDs deletes the definitions in a file, and with them all objects of theirs, and waits until they are gone.
func (c *Cluster) removeCRDs(ctx context.Context, file string) error {
	crds, err := readObjects(file)
	if err != nil {
		return err
	}
	for _, crd := range crds {
		err := c.Dynamic.Resource(crdResource()).Delete(ctx, crd.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete CRD %s: %w", crd.GetName(), err)
		}
	}
	for _, crd := range crds {
		err := await(ctx, "CRD "+crd.GetName()+" to be gone", func(ctx context.Context) error {
			_, err := c.Dynamic.Resource(served(crd)).List(ctx, metav1.ListOptions{Limit: 1})
			if apierrors.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			return errors.New("it is still served")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// served returns the resource that a CRD defines, at its first version.
func served(crd *unstructured.Unstructured) schema.GroupVersionResource {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, version := range versions {
		if version, ok := version.(map[string]any); ok && version["served"] == true {
			return schema.GroupVersionResource{Group: group, Version: version["name"].(string), Resource: plural}
		}
	}
	return schema.GroupVersionResource{Group: group, Resource: plural}
}

func readObjects(file string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		var object unstructured.Unstructured
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(file), err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, &object)
		}
	}
}
