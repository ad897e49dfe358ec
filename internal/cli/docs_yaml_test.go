package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
)

// TestTheYAMLOfDocumentsIsValid checks every block as what it is. A block of which no check knows what it is, is an error.
func TestTheYAMLOfDocumentsIsValid(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, d := range documentsForPeople(t) {
		if d.name == "adding-a-router.md" {
			continue // its router does not exist; the page is followed by a test of its own
		}
		for _, block := range d.blocks("yaml") {
			kind, err := checkYAML(block)
			kinds[kind]++
			if err != nil {
				t.Errorf("%s: %v in\n%s", d.name, err, block)
			}
		}
	}
	for _, kind := range []string{"objects", "workflow", "gitlab", "policy"} {
		if kinds[kind] == 0 {
			t.Errorf("no block is taken for %s: %v", kind, kinds)
		}
	}
}

// checkYAML says what a block is and what is wrong with it. That a workflow is right, actionlint and other tests say.
func checkYAML(block string) (kind string, err error) {
	decoder := yamlv3.NewDecoder(strings.NewReader(block))
	var first map[string]any
	if err := decoder.Decode(&first); err != nil {
		return "", fmt.Errorf("no mapping: %w", err)
	}
	for {
		var more map[string]any
		if err := decoder.Decode(&more); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	switch {
	case first["apiVersion"] != nil:
		return "objects", checkObjects(block)
	case first["jobs"] != nil:
		return "workflow", nil
	case first["groups"] != nil:
		_, err := approval.ParsePolicy([]byte(block))
		return "policy", err
	case first["steps"] != nil && len(first) == 1:
		return "steps", nil // their commands are checked with all others
	case first["analysis"] != nil && len(first) == 1, first["service"] != nil && len(first) == 1:
		return "spec", yaml.UnmarshalStrict([]byte(block), new(canary.Spec))
	case first["metadata"] != nil && len(first) == 1:
		return "webhook", yaml.UnmarshalStrict([]byte(block), new(canary.Webhook))
	}
	return "gitlab", checkGitLab(first)
}

var separator = regexp.MustCompile(`(?m)^---\n`)

// checkObjects decodes the objects of a block strictly: those of Flagger and Penstock as a run reads them, those of
// Kubernetes by its own types.
func checkObjects(block string) error {
	var problems []error
	var run strings.Builder // what a run reads
	for _, one := range separator.Split(block, -1) {
		var id struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(one), &id); err != nil {
			return err
		}
		group, _, _ := strings.Cut(id.APIVersion, "/")
		switch {
		case group == "flagger.app" || group == "penstock.dev":
			run.WriteString("---\n" + one)
		case slices.Contains(elsewhere, id.Kind):
		default:
			problems = append(problems, checkKubernetes(one, schema.FromAPIVersionAndKind(id.APIVersion, id.Kind)))
		}
	}
	return errors.Join(append(problems, checkCanaries(run.String()))...)
}

// elsewhere are the kinds of programs whose types are not among the modules of this repository.
var elsewhere = []string{"AuthenticationConfiguration", "Gateway", "Kustomization"}

func checkKubernetes(one string, kind schema.GroupVersionKind) error {
	object, err := scheme.Scheme.New(kind)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict([]byte(one), object); err != nil {
		return fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return nil
}

// checkCanaries makes the plan of each canary, as lint does, with the templates and the comparisons of the block. What has
// no spec.provider is taken for one of the Gateway API.
func checkCanaries(text string) error {
	if text == "" {
		return nil
	}
	set, err := canary.Parse([]canary.File{{Name: "block", Data: []byte(text)}})
	if err != nil && !(len(set.Canaries) == 0 && len(set.Comparisons) > 0) { // their canary is in another file; see TestTheComparisonsOfDocumentsAreValid
		return err
	}
	for _, c := range set.Canaries {
		own := func(_, name string) (*canary.MetricTemplate, bool) {
			for _, template := range set.Templates {
				if template.Name == name {
					return template, true
				}
			}
			return nil, false
		}
		in := planInputs{provider: "gatewayapi:v1", templates: own}
		in.comparisons = set.ComparisonsOf(c)
		if _, err := compile(c, in); err != nil {
			return err
		}
	}
	return nil
}

// The keywords of GitLab that the documents use, at the top of a pipeline and in a job.
var (
	gitlabGlobal = []string{"default", "include", "stages", "variables", "workflow"}
	gitlabJob    = []string{
		"after_script", "allow_failure", "artifacts", "before_script", "environment", "extends", "id_tokens", "image", "interruptible",
		"needs", "resource_group", "rules", "script", "secrets", "stage", "tags", "timeout", "variables", "when",
	}
	gitlabInclude = []string{"component", "file", "inputs", "local", "project", "ref", "remote", "rules", "template"}
)

// checkGitLab checks the keywords of a pipeline, and what it hands to the component and to the plain include.
func checkGitLab(pipeline map[string]any) error {
	var problems []error
	jobs := 0
	for name, value := range pipeline {
		if slices.Contains(gitlabGlobal, name) {
			continue
		}
		job, ok := value.(map[string]any)
		if !ok {
			problems = append(problems, fmt.Errorf("%s is neither a keyword of GitLab nor a job", name))
			continue
		}
		jobs++
		for key, value := range job {
			if !slices.Contains(gitlabJob, key) {
				problems = append(problems, fmt.Errorf("job %s: %s is no keyword of a job", name, key))
			}
			if key == "variables" {
				problems = append(problems, checkVariables(value.(map[string]any)))
			}
		}
	}
	includes, _ := pipeline["include"].([]any)
	for _, one := range includes {
		problems = append(problems, checkInclude(one.(map[string]any)))
	}
	if jobs+len(includes) == 0 {
		problems = append(problems, errors.New("nobody knows what this is: no object, workflow, policy or pipeline"))
	}
	return errors.Join(problems...)
}

func checkVariables(variables map[string]any) error {
	known := map[string]bool{"PENSTOCK_JOB_IMAGE": true}
	for _, in := range inputsOfRun() {
		known[in.variable()] = true
	}
	for name := range variables {
		if strings.HasPrefix(name, "PENSTOCK_") && !known[name] {
			return fmt.Errorf("%s is no variable of the include", name)
		}
	}
	return nil
}

func checkInclude(include map[string]any) error {
	for key := range include {
		if !slices.Contains(gitlabInclude, key) {
			return fmt.Errorf("%s is no keyword of an include", key)
		}
	}
	inputs, _ := include["inputs"].(map[string]any)
	for name := range inputs {
		known := slices.Contains([]string{"job-image", "job-name", "stage", "environment"}, name)
		for _, in := range inputsOfRun() {
			known = known || in.name == name && in.onGitLab()
		}
		if !known {
			return fmt.Errorf("%s is no input of the component", name)
		}
	}
	return nil
}
