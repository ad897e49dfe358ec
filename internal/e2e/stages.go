package e2e

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

//go:embed stages/pods.yaml
var failingPods string

// misbehaves matches the images whose pods kwok's own stage must not make ready.
const misbehaves = `. as $pod | .spec.containers[].image | test("[:-](pending|badimage|crash|slow-[0-9]+)$") or
	(test("[:-]crash-primary$") and ($pod.metadata.labels.app // "" | endswith("-primary")))`

// writeStages writes the file that tells kwok how nodes and pods behave: its own stages for the good cases, taken from
// its module, and ours for the failures.
func writeStages(ctx context.Context, path string) error {
	dir, err := moduleDir(ctx, "tools/kwok", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	var documents []string
	for _, name := range []string{
		"node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease",
		"pod/fast/pod-complete", "pod/fast/pod-delete",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "kustomize", "stage", name+".yaml"))
		if err != nil {
			return fmt.Errorf("read kwok's stage %s: %w", name, err)
		}
		documents = append(documents, string(text))
	}
	ready, err := os.ReadFile(filepath.Join(dir, "kustomize/stage/pod/fast/pod-ready.yaml"))
	if err != nil {
		return fmt.Errorf("read kwok's stage for ready pods: %w", err)
	}
	for _, change := range []func(*unstructured.Unstructured) error{onlyWellBehaved, slowly} {
		stage, err := derive(ready, change)
		if err != nil {
			return fmt.Errorf("change kwok's stage for ready pods: %w", err)
		}
		documents = append(documents, stage)
	}
	return os.WriteFile(path, []byte(strings.Join(append(documents, failingPods), "\n---\n")), 0o600)
}

func derive(stage []byte, change func(*unstructured.Unstructured) error) (string, error) {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(stage, &object.Object); err != nil {
		return "", err
	}
	if err := change(&object); err != nil {
		return "", err
	}
	text, err := yaml.Marshal(object.Object)
	return string(text), err
}

func onlyWellBehaved(stage *unstructured.Unstructured) error {
	return alsoMatch(stage, map[string]any{"key": misbehaves, "operator": "NotIn", "values": []any{"true"}})
}

// slowly makes the pods of an image tagged slow-N ready after N seconds.
func slowly(stage *unstructured.Unstructured) error {
	stage.SetName("pod-ready-slowly")
	err := unstructured.SetNestedMap(stage.Object, map[string]any{
		"durationMilliseconds": int64(0),
		"durationFrom": map[string]any{
			"expressionFrom": `.spec.containers[].image | capture("[:-]slow-(?<n>[0-9]+)$") | .n + "s"`,
		},
	}, "spec", "delay")
	if err != nil {
		return err
	}
	return alsoMatch(stage, map[string]any{
		"key": `.spec.containers[].image | test("[:-]slow-[0-9]+$")`, "operator": "In", "values": []any{"true"},
	})
}

func alsoMatch(stage *unstructured.Unstructured, expression map[string]any) error {
	path := []string{"spec", "selector", "matchExpressions"}
	all, _, err := unstructured.NestedSlice(stage.Object, path...)
	if err != nil {
		return err
	}
	return unstructured.SetNestedSlice(stage.Object, append(all, expression), path...)
}
