package workload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

func TestAPrimaryThatDoesNotHaveWhatItShouldIsOfNoTargetsRevision(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *configured){
		"a copy was written and its pods were not restarted": func(c *configured) {
			c.edit("ConfigMap", "env", func(o map[string]any) { delete(o, "data") })
			copies := c.copies()
			i := slices.IndexFunc(copies, func(p workload.ConfigCopy) bool { return p.Ref.Name == "env-primary" })
			c.live[copies[i].Ref] = copies[i].Object
		},
		"somebody changed a copy": func(c *configured) {
			c.edit("Secret", "tokens-primary", func(o map[string]any) { delete(o, "data") })
		},
		"a copy was deleted": func(c *configured) { delete(c.live, c.ref("ConfigMap", "env-primary")) },
		"a copy that should not be": func(c *configured) {
			c.put("{apiVersion: v1, kind: ConfigMap, metadata: {name: missing-primary, namespace: shop, annotations: {penstock.dev/canary: podinfo}}, data: {a: b}}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigured(t)
			c.promote()
			change(c)
			if target, primary := c.revisions(); target == primary {
				t.Error("the primary counts as a copy of the target")
			}
			c.promote()
			if target, primary := c.revisions(); target != primary {
				t.Errorf("mended, the primary's revision is %s, the target's %s", primary, target)
			}
		})
	}
}

func TestAPrimaryOfFlaggersIsRecognisedWithItsCopies(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	delete(c.live, c.ref("ConfigMap", "shared-primary"))
	c.promote()
	unstructured.RemoveNestedField(c.primary.Object, "spec", "template", "metadata", "annotations")
	for ref, o := range c.live {
		if strings.HasSuffix(ref.Name, "-primary") {
			o.SetAnnotations(nil) // the owner says whose they are
		}
	}
	// Flagger leaves the name of an optional one that is not there as it is.
	text, _ := yaml.Marshal(c.primary.Object)
	primary := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "missing-primary", "missing")), &primary.Object); err != nil {
		t.Fatal(err)
	}
	c.primary = primary
	if target, primary := c.revisions(); target != primary {
		t.Errorf("the primary's revision is %s, the target's %s", primary, target)
	}
}

func TestWhatCannotBeChangedGetsTheOtherNameAndTheNextTimeIsMadeAnew(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.promote()
	change := func(content string) workload.ConfigCopy {
		c.edit("ConfigMap", "files", func(o map[string]any) { o["data"] = map[string]any{"index.html": content} })
		copies := c.copies()
		i := slices.IndexFunc(copies, func(p workload.ConfigCopy) bool { return p.Original.Name == "files" })
		c.promote()
		if target, primary := c.revisions(); target != primary {
			t.Errorf("with %s the primary's revision is %s, the target's %s", content, primary, target)
		}
		return copies[i]
	}
	for i, want := range []string{"files-podinfo-primary", "files-primary", "files-podinfo-primary"} {
		got := change(fmt.Sprint(i))
		if got.Ref.Name != want || got.Replace != (i > 0) {
			t.Errorf("change %d: to %s, made anew %t", i, got.Ref.Name, got.Replace)
		}
	}
}

func TestACopyThatCannotBeMadeIsAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(c *configured)
		want   string
	}{
		"both names are taken": {func(c *configured) {
			c.put("{apiVersion: v1, kind: ConfigMap, metadata: {name: shared-podinfo-primary, namespace: shop}}")
		}, `copy ConfigMap "shared" for the primary: both names are taken`},
		"it does not exist": {func(c *configured) { delete(c.live, c.ref("Secret", "tls")) }, `Secret "tls" does not exist`},
		"the name is too long": {func(c *configured) {
			long := strings.Repeat("x", 250)
			c.put("{apiVersion: v1, kind: ConfigMap, metadata: {name: " + long + ", namespace: shop}}")
			_ = unstructured.SetNestedSlice(c.target.Object, []any{
				map[string]any{"name": "a", "configMap": map[string]any{"name": long}},
			}, "spec", "template", "spec", "volumes")
		}, "must be no more than 253"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConfigured(t)
			test.change(c)
			target, primary := c.look()
			_, err := workload.ConfigCopies(c.canary, target, primary)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if _, err := workload.RenderPrimary(c.canary, target, primary); err == nil {
				t.Error("a primary that refers to a copy that cannot be made")
			}
		})
	}
}

func TestTheObjectsToLookAtAreFoundStepByStep(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.promote()
	all := c.live
	c.live = canary.Objects{}
	names := func() []string {
		target, primary := fromObject(t, c.target), fromObject(t, c.primary)
		var found []string
		for _, ref := range workload.ConfigObjects(c.canary, target, primary, c.live) {
			found = append(found, ref.Name)
		}
		return found
	}
	first := names()
	for _, want := range []string{"env", "env-primary", "everyone", "missing", "missing-primary", "tokens-primary", "shared-podinfo-primary"} {
		if !slices.Contains(first, want) {
			t.Errorf("%s is not looked at: %v", want, first)
		}
	}
	c.live, c.primary = all, nil
	delete(c.live, c.ref("ConfigMap", "shared-podinfo-primary"))
	second := names()
	for want, looked := range map[string]bool{
		"shared-podinfo-primary": true, "everyone-primary": false, "account-primary": false, "env-podinfo-primary": false, "registry": false,
	} {
		if slices.Contains(second, want) != looked {
			t.Errorf("%s is looked at: %t", want, !looked)
		}
	}
	if got := workload.ConfigObjects(c.canary, nil, nil, nil); got != nil {
		t.Errorf("without a target: %v", got)
	}
}

func TestTheCopiesOfAPrimaryAreListedAndNotTheirOriginals(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.promote()
	_, primary := c.look()
	var names []string
	for _, ref := range workload.CopiesOf(c.canary, primary) {
		names = append(names, ref.Kind+" "+ref.Name)
	}
	for want, listed := range map[string]bool{
		"ConfigMap env-primary": true, "ConfigMap shared-podinfo-primary": true, "Secret tls-primary": true, "ConfigMap env": false,
		"ConfigMap files-podinfo-primary": true, "ConfigMap everyone": false, "Secret account": false,
	} {
		if slices.Contains(names, want) != listed {
			t.Errorf("%s is listed: %t", want, !listed)
		}
	}
	if got := workload.CopiesOf(c.canary, nil); got != nil {
		t.Errorf("without a primary: %v", got)
	}
}
