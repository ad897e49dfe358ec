package workload_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// configured is a target with its configuration, as a cluster has it.
type configured struct {
	t       *testing.T
	canary  *canary.Canary
	target  *unstructured.Unstructured
	primary *unstructured.Unstructured // nil: there is none
	live    canary.Objects
}

func newConfigured(t *testing.T) *configured {
	t.Helper()
	c := &configured{
		t: t, canary: load[canary.Canary](t, "configs", "canary.yaml"), target: object(t, "configs", "deployment.yaml"),
		live: canary.Objects{},
	}
	text, err := os.ReadFile(filepath.Join(testdata, "configs", "live.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "---\n") {
		c.put(document)
	}
	return c
}

func (c *configured) put(text string) {
	c.t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		c.t.Fatal(err)
	}
	c.live[c.ref(o.GetKind(), o.GetName())] = o
}

func (c *configured) ref(kind, name string) canary.Ref {
	gvr := schema.GroupVersionResource{Version: "v1", Resource: strings.ToLower(kind) + "s"}
	return c.canary.RefOf(gvr, kind, name)
}

func (c *configured) edit(kind, name string, change func(o map[string]any)) {
	c.t.Helper()
	o := c.live[c.ref(kind, name)].DeepCopy()
	change(o.Object)
	c.live[c.ref(kind, name)] = o
}

// look reads target and primary with their configuration.
func (c *configured) look() (target, primary *workload.Workload) {
	c.t.Helper()
	target, primary = fromObject(c.t, c.target), fromObject(c.t, c.primary)
	workload.Track(c.canary, target, primary, workload.ConfigView{Live: c.live})
	return target, primary
}

func (c *configured) copies() []workload.ConfigCopy {
	c.t.Helper()
	target, primary := c.look()
	copies, err := workload.ConfigCopies(c.canary, target, primary)
	if err != nil {
		c.t.Fatal(err)
	}
	return copies
}

// promote does what a promotion does to the objects.
func (c *configured) promote() {
	c.t.Helper()
	target, primary := c.look()
	rendered, err := workload.RenderPrimary(c.canary, target, primary)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, placed := range c.copies() {
		delete(c.live, placed.Ref)
		if placed.Object != nil {
			c.live[placed.Ref] = placed.Object
		}
	}
	c.primary = rendered
}

func (c *configured) revisions() (target, primary string) {
	c.t.Helper()
	t, p := c.look()
	return workload.TargetRevision(t), workload.PrimaryRevision(p)
}

func TestEveryConfigThatPodsStartWithIsFound(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	target, _ := c.look()
	var got []string
	for _, r := range workload.Configs(target.Template) {
		name := r.String()
		if r.Optional {
			name += "?"
		}
		got = append(got, name)
	}
	want := []string{
		"configmap/env", "configmap/everyone", "configmap/files", "configmap/missing?", "configmap/projected", "configmap/shared",
		"secret/account", "secret/database", "secret/tls", "secret/tokens",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configs (-want +got):\n%s", diff)
	}
	if got := workload.Configs(nil); got != nil {
		t.Errorf("a target without pods refers to %v", got)
	}
}

func TestCopiesAndThePrimaryThatRefersToThemAreAsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	before := c.target.DeepCopy()
	var objects []*unstructured.Unstructured
	for _, placed := range c.copies() {
		if placed.Object != nil {
			objects = append(objects, placed.Object)
		}
	}
	golden(t, filepath.Join("configs", "copies.golden.yaml"), objects...)
	c.promote()
	golden(t, filepath.Join("configs", "primary.golden.yaml"), c.primary)
	if diff := cmp.Diff(before, c.target); diff != "" {
		t.Errorf("the target was modified:\n%s", diff)
	}
	if target, primary := c.revisions(); target != primary {
		t.Errorf("the primary's revision is %s, the target's %s", primary, target)
	}
	copied := c.primary.DeepCopy()
	c.promote()
	if diff := cmp.Diff(copied, c.primary); diff != "" {
		t.Errorf("promoting again:\n%s", diff)
	}
}

func TestAConfigIsShownAsFlaggerShowsIt(t *testing.T) {
	t.Parallel()
	target, _ := newConfigured(t).look()
	sums := workload.TrackedConfigs(target)
	for config, content := range map[string]string{
		"configmap/env":       `{"a\u003cb":"\u0026","colour":"blue"}`,
		"configmap/projected": "null",
		"secret/tokens":       `{"token":"MTIz"}`,
	} {
		sum := sha256.Sum256([]byte(content))
		if want := fmt.Sprintf("%x", sum[:8]); sums[config] != want {
			t.Errorf("%s is %q, want %q", config, sums[config], want)
		}
	}
	for _, left := range []string{"configmap/everyone", "configmap/missing", "secret/account"} {
		if _, shown := sums[left]; shown {
			t.Errorf("%s is tracked", left)
		}
	}
}

func TestAChangeOfConfigurationIsANewRevisionAndIsNamed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(c *configured)
		named  string // empty: it is no new revision
	}{
		"a key of a ConfigMap": {func(c *configured) {
			c.edit("ConfigMap", "env", func(o map[string]any) { o["data"].(map[string]any)["colour"] = "green" })
		}, "configmap/env"},
		"binary data": {func(c *configured) {
			c.edit("ConfigMap", "files", func(o map[string]any) { o["binaryData"] = map[string]any{"logo.png": "AAAA"} })
		}, "configmap/files"},
		"a Secret of an init container": {func(c *configured) {
			c.edit("Secret", "database", func(o map[string]any) { o["data"].(map[string]any)["password"] = "AAAA" })
		}, "secret/database"},
		"two at once": {func(c *configured) {
			c.edit("ConfigMap", "env", func(o map[string]any) { delete(o, "data") })
			c.edit("Secret", "tokens", func(o map[string]any) { delete(o, "data") })
		}, "configmap/env, secret/tokens"},
		"an optional one appears": {func(c *configured) {
			c.put("{apiVersion: v1, kind: ConfigMap, metadata: {name: missing, namespace: shop}, data: {a: b}}")
		}, "configmap/missing"},
		"one is opted out": {func(c *configured) {
			c.edit("ConfigMap", "projected", func(o map[string]any) {
				o["metadata"].(map[string]any)["annotations"] = map[string]any{"flagger.app/config-tracking": "disable"}
			})
		}, "no configmap/projected"},
		"an image and a ConfigMap": {func(c *configured) {
			c.edit("ConfigMap", "env", func(o map[string]any) { delete(o, "data") })
			containers, _, _ := unstructured.NestedSlice(c.target.Object, "spec", "template", "spec", "containers")
			containers[0].(map[string]any)["image"] = "podinfo:2"
			_ = unstructured.SetNestedSlice(c.target.Object, containers, "spec", "template", "spec", "containers")
		}, "image of podinfod (podinfo:1 -> podinfo:2), configmap/env"},
		"labels": {func(c *configured) {
			c.edit("ConfigMap", "env", func(o map[string]any) { delete(o["metadata"].(map[string]any), "labels") })
		}, ""},
		"one that is opted out": {func(c *configured) {
			c.edit("ConfigMap", "everyone", func(o map[string]any) { delete(o, "data") })
		}, ""},
		"a Secret of Kubernetes' own": {func(c *configured) {
			c.edit("Secret", "account", func(o map[string]any) { delete(o, "data") })
		}, ""},
		"the credentials for the images": {func(c *configured) {
			c.put("{apiVersion: v1, kind: Secret, metadata: {name: registry, namespace: shop}, data: {a: b}}")
		}, ""},
		"the note about what the target's pods were started with": {func(c *configured) {
			unstructured.RemoveNestedField(c.target.Object, "spec", "template", "metadata", "annotations")
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigured(t)
			c.promote()
			test.change(c)
			target, primary := c.look()
			if got := workload.Changes(target, primary); got != test.named {
				t.Errorf("changes: %q, want %q", got, test.named)
			}
			if got := workload.TargetRevision(target) != workload.PrimaryRevision(primary); got != (test.named != "") {
				t.Errorf("a new revision: %t", got)
			}
			c.promote()
			if target, primary := c.revisions(); target != primary {
				t.Errorf("promoted, the primary's revision is %s, the target's %s", primary, target)
			}
		})
	}
}

func TestATargetWithoutConfigurationHasTheRevisionOfItsTemplate(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.live = canary.Objects{c.ref("ConfigMap", "everyone"): c.live[c.ref("ConfigMap", "everyone")]}
	target, _ := c.look()
	if got, want := workload.TargetRevision(target), workload.Revision(*target.Template); got != want {
		t.Errorf("the revision is %s, its template's %s", got, want)
	}
}

func TestWhatKeepsPodsFromStartingIsSaid(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	target, _ := c.look()
	if text, final := workload.ConfigProblem(target); text != "" || final {
		t.Errorf("with all there: %q, %t", text, final)
	}
	known, revision := len(workload.TrackedConfigs(target)), workload.TargetRevision(target)
	delete(c.live, c.ref("ConfigMap", "env"))
	target, _ = c.look()
	if text, final := workload.ConfigProblem(target); text != `ConfigMap "env" does not exist` || final {
		t.Errorf("without env: %q, %t", text, final)
	}
	if len(workload.TrackedConfigs(target)) != known-1 || workload.TargetRevision(target) == revision {
		t.Error("a ConfigMap that is gone is no change")
	}
	workload.Track(c.canary, target, nil, workload.ConfigView{
		Live: c.live, Refused: map[canary.Ref]error{c.ref("ConfigMap", "env"): fmt.Errorf("forbidden")},
	})
	if text, final := workload.ConfigProblem(target); text != `ConfigMap "env" cannot be read: forbidden` || !final {
		t.Errorf("without the permission: %q, %t", text, final)
	}
}

func TestPodsAreStartedAnewOnlyWhenTheirConfigurationHasChanged(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	target, _ := c.look()
	if workload.OutdatedConfigs(target) == "" {
		t.Error("nobody knows what the pods were started with")
	}
	revision := workload.TargetRevision(target)
	restart := func() {
		var patch struct {
			Spec struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
				}
			}
		}
		target, _ := c.look()
		if err := yaml.Unmarshal(workload.RestartPatch(target), &patch); err != nil {
			t.Fatal(err)
		}
		err := unstructured.SetNestedStringMap(c.target.Object, patch.Spec.Template.Metadata.Annotations,
			"spec", "template", "metadata", "annotations")
		if err != nil {
			t.Fatal(err)
		}
	}
	restart()
	target, _ = c.look()
	if workload.OutdatedConfigs(target) != "" || workload.RestartPatch(target) != nil || workload.TargetRevision(target) != revision {
		t.Errorf("restarted, with %v, the pods are still outdated: %s", target.Template.Annotations, workload.OutdatedConfigs(target))
	}
	c.edit("ConfigMap", "env", func(o map[string]any) { delete(o, "data") })
	target, _ = c.look()
	if got := workload.OutdatedConfigs(target); got != "configmap/env" {
		t.Errorf("outdated is %q", got)
	}
	restart()
	c.edit("ConfigMap", "env", func(o map[string]any) {
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"flagger.app/config-tracking": "disabled"}
	})
	target, _ = c.look()
	if got := workload.OutdatedConfigs(target); got != "" {
		t.Errorf("what is no longer tracked is outdated: %q", got)
	}
}
