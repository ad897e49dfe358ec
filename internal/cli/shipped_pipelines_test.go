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

// componentReference is how a document includes the component, from whatever instance; what is after the @ names a version.
var componentReference = regexp.MustCompile(`component: \S+/rollout@\S+`)

const (
	componentHere = "templates/rollout/template.yml"
	includeHere   = "ci/penstock.gitlab-ci.yml"
)

// pipeline is what the tests look at in a pipeline of GitLab.
type pipeline struct {
	Include []struct {
		Local, Component string
		Inputs           map[string]any
	}
	jobs map[string]struct {
		Script    any
		Extends   string
		Variables map[string]any
	}
}

// pipelinesOfDocuments returns the pipelines of the texts for people, which are those that include a job or have one.
func pipelinesOfDocuments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range documentsForPeople(t) {
		for i, block := range d.blocks("yaml") {
			if p := parsePipeline(block); len(p.Include) > 0 || len(p.jobs) > 0 {
				all[fmt.Sprintf("%s-%d", d.name, i)] = block
			}
		}
	}
	if len(all) < 5 {
		t.Errorf("only %d pipelines are in the documents", len(all))
	}
	return all
}

// parsePipeline returns nothing for a text that is no pipeline; that it is YAML is checked elsewhere.
func parsePipeline(text string) pipeline {
	var p pipeline
	var nodes map[string]yaml.Node
	if yaml.Unmarshal([]byte(text), &p) != nil || yaml.Unmarshal([]byte(text), &nodes) != nil {
		return pipeline{}
	}
	for name, node := range nodes {
		one := p.jobs[name]
		if node.Kind != yaml.MappingNode || node.Decode(&one) != nil || one.Script == nil && one.Extends == "" {
			continue
		}
		if p.jobs == nil {
			p.jobs = map[string]struct {
				Script    any
				Extends   string
				Variables map[string]any
			}{}
		}
		p.jobs[name] = one
	}
	return p
}

// Whatever a document gives the component or the plain include is an input, and what has to be given is.
func TestThePipelinesOfDocumentsUseTheJobRight(t *testing.T) {
	t.Parallel()
	declared := documentsOf(t, componentFile)[0]["spec"].(map[string]any)["inputs"].(map[string]any)
	known := map[string]bool{"PENSTOCK_JOB_IMAGE": true}
	for _, in := range inputsOfRun() {
		known[in.variable()] = in.onGitLab()
	}
	for name, text := range pipelinesOfDocuments(t) {
		p := parsePipeline(text)
		for _, included := range p.Include {
			if included.Component == "" {
				continue
			}
			for input := range included.Inputs {
				if declared[input] == nil {
					t.Errorf("%s: %q is no input of the component", name, input)
				}
			}
			for input, about := range declared {
				if _, hasDefault := about.(map[string]any)["default"]; !hasDefault && included.Inputs[input] == nil {
					t.Errorf("%s: the input %q has to be given", name, input)
				}
			}
		}
		for job, j := range p.jobs {
			for variable := range j.Variables {
				if strings.HasPrefix(variable, "PENSTOCK_") && !known[variable] {
					t.Errorf("%s: job %s: %s is no input", name, job, variable)
				}
			}
			if j.Extends == ".penstock" && j.Variables["PENSTOCK_JOB_IMAGE"] == nil {
				t.Errorf("%s: job %s gives no image", name, job)
			}
		}
	}
}

// checkPipeline asks a program that has GitLab's own schema of pipelines, with the component and the include at hand. It
// returns what the program says against the pipeline.
func checkPipeline(t *testing.T, text string, change func(string) string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{".gitlab-ci.yml": componentReference.ReplaceAllString(text, "local: "+componentHere)}
	for path, source := range map[string]string{componentHere: componentFile, includeHere: includeFile} {
		shipped, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = change(string(shipped))
	}
	for path, content := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{ // only what is committed can be included
		{"init", "-q"}, {"remote", "add", "origin", "https://gitlab.example.com/shop/podinfo.git"}, {"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "pipeline"},
	} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), pipelineChecker(t), "--list")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "json schema validated") {
		t.Fatalf("the program checked nothing:\n%s", out)
	}
	return string(out), err
}

// pipelineChecker is the program that .ci/gitlab installs.
func pipelineChecker(t *testing.T) string {
	t.Helper()
	path := os.Getenv("GITLAB_CI_LOCAL")
	if path == "" {
		t.Skip("GITLAB_CI_LOCAL does not name the program; .ci/gitlab installs it")
	}
	return path
}

func TestPipelinesPassTheSchemaOfGitLab(t *testing.T) {
	t.Parallel()
	pipelineChecker(t)
	asItIs := func(s string) string { return s }
	for name, text := range pipelinesOfDocuments(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := checkPipeline(t, text, asItIs); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// The check above would see a keyword that does not exist, a value of the wrong kind, and an input that is not given.
func TestTheSchemaOfGitLabRefuses(t *testing.T) {
	t.Parallel()
	pipelineChecker(t)
	component := "include:\n  - component: gitlab.example.com/platform/penstock/rollout@main\n    inputs:\n      job-image: i\n"
	plain := "include:\n  - local: " + includeHere + "\nrollout:\n  extends: .penstock\n"
	for name, c := range map[string]struct{ pipeline, old, new, said string }{
		"a keyword of the component": {component, "resource_group:", "resource_groups:", "resource_groups"},
		"a keyword of the include":   {plain, "resource_group:", "resource_groups:", "resource_groups"},
		"a kind of report":           {component, "      dotenv:", "      dot_env:", "dot_env"},
		"a value":                    {plain, "when: always", "when: whenever", "when"},
		"a missing input":            {strings.Replace(component, "job-image", "filename", 1), "", "", "job-image"},
		"an option":                  {component + "      dry-run: \"perhaps\"\n", "", "", "dry-run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := checkPipeline(t, c.pipeline, func(s string) string { return strings.ReplaceAll(s, c.old, c.new) })
			if err == nil || !strings.Contains(out, c.said) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
