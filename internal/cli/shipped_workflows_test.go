package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what the tests look at in a workflow of GitHub.
type workflow struct {
	On          any
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []struct {
			Uses string
			With map[string]any
		}
	}
}

// events are those that start the workflow.
func (w workflow) events() []string {
	switch on := w.On.(type) {
	case string:
		return []string{on}
	case map[string]any:
		return keys(on)
	}
	return nil
}

// workflowsOfDocuments writes the workflows of the texts for people to files, and returns them by path.
func workflowsOfDocuments(t *testing.T) map[string]workflow {
	t.Helper()
	all := map[string]workflow{}
	for _, d := range documentsForPeople(t) {
		for i, block := range d.blocks("yaml") {
			var w workflow
			if err := yaml.Unmarshal([]byte(block), &w); err != nil || len(w.Jobs) == 0 {
				continue // no workflow; that it is YAML is checked elsewhere
			}
			path := filepath.Join(t.TempDir(), fmt.Sprintf("%s-%d.yml", d.name, i))
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			all[path] = w
		}
	}
	return all
}

// Whatever a document passes to the action is an input of it.
func TestTheWorkflowsOfDocumentsUseTheActionRight(t *testing.T) {
	t.Parallel()
	inputs := documentsOf(t, actionFile)[0]["inputs"].(map[string]any)
	steps, triggers := 0, map[string]bool{}
	for path, w := range workflowsOfDocuments(t) {
		for _, job := range w.Jobs {
			for _, step := range job.Steps {
				if !strings.HasPrefix(step.Uses, "penstock-dev/penstock@") {
					continue
				}
				steps++
				for _, event := range w.events() {
					triggers[event] = true
				}
				for name := range step.With {
					if inputs[name] == nil {
						t.Errorf("%s: %q is no input of the action", filepath.Base(path), name)
					}
				}
				if step.With["filename"] == nil || step.With["kubeconfig-data"] == nil && step.With["server"] == nil {
					t.Errorf("%s: the step has no file or no cluster", filepath.Base(path))
				}
			}
		}
	}
	for _, event := range []string{"deployment", "push", "workflow_dispatch"} {
		if !triggers[event] {
			t.Errorf("no document has a workflow that runs the action on %s", event)
		}
	}
	if steps < 4 {
		t.Errorf("only %d steps of the documents use the action", steps)
	}
}

const ownWorkflows = "../../.github/workflows/*.yml"

var pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)

// Every workflow gives its jobs nothing but what they name, and runs other people's code only by a commit.
func TestWorkflowsHaveTheLeastPermissionsAndPinnedActions(t *testing.T) {
	t.Parallel()
	all := workflowsOfDocuments(t)
	paths, err := filepath.Glob(ownWorkflows)
	if err != nil || len(paths) < 2 {
		t.Fatalf("workflows %v, %v", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatal(err)
		}
		all[path] = w
	}
	for path, w := range all {
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: the permissions at the top are %v, not {}", filepath.Base(path), w.Permissions)
		}
		for name, job := range w.Jobs {
			if len(job.Permissions) == 0 {
				t.Errorf("%s: job %s names no permissions", filepath.Base(path), name)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && step.Uses != "penstock-dev/penstock@main" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s: %s is not pinned by a commit", filepath.Base(path), step.Uses)
				}
			}
		}
	}
}

// Without actionlint on the path, workflows are only parsed, by the other tests.
func TestWorkflowsPassActionlint(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("actionlint")
	if err != nil {
		t.Skip("actionlint is not on the path")
	}
	args := []string{"-shellcheck=", "-pyflakes="}
	for path := range workflowsOfDocuments(t) {
		args = append(args, path)
	}
	own, err := filepath.Glob(ownWorkflows)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, append(args, own...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
