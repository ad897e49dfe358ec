package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/penstock-dev/penstock/internal/report"
)

const (
	actionFile    = "../../action.yml"
	componentFile = "../../gitlab/templates/rollout/template.yml"
	includeFile   = "../../gitlab/penstock.gitlab-ci.yml"
	inputsPage    = "../../docs/inputs.md"
)

// shippedInput is one input of a run as its tags have it.
type shippedInput struct {
	name, help, preset string
	isBool             bool
}

// inputsOfRun returns the inputs of penstock run by name.
func inputsOfRun() []shippedInput {
	var all []shippedInput
	eachInput(&runInputs{}, func(field reflect.StructField, value any) {
		in := shippedInput{name: field.Tag.Get("input"), help: field.Tag.Get("help"), preset: field.Tag.Get("default")}
		if _, in.isBool = value.(*bool); in.isBool && in.preset == "" {
			in.preset = "false"
		}
		if _, list := value.(*[]string); list {
			in.help = strings.Replace(in.help, "may be repeated", "one a line", 1)
		}
		all = append(all, in)
	})
	slices.SortFunc(all, func(a, b shippedInput) int { return strings.Compare(a.name, b.name) })
	return all
}

// onGitLab reports whether an input is one of the component. The others are about GitHub, or are the job's own keywords.
func (in shippedInput) onGitLab() bool { return in.name != "github-token" && in.name != "environment" }

// inAction is the default of the action.
func (in shippedInput) inAction() string {
	if in.name == "github-token" {
		return "${{ github.token }}"
	}
	return in.preset
}

// inComponent is the default of the component, whose job publishes the files of the report.
func (in shippedInput) inComponent() string {
	if in.name == "report-dir" {
		return "penstock-report"
	}
	return in.preset
}

func (in shippedInput) variable() string {
	return "PENSTOCK_" + strings.ToUpper(strings.ReplaceAll(in.name, "-", "_"))
}

// TestTheShippedFilesHaveEveryInput holds the action, the component and the page to the tags. It is not parallel: with
// -update it writes what the tests after it read.
func TestTheShippedFilesHaveEveryInput(t *testing.T) {
	var action, component, variables, page strings.Builder
	action.WriteString("inputs:\n")
	page.WriteString("| input | default | what it is |\n|---|---|---|\n")
	for _, in := range inputsOfRun() {
		fmt.Fprintf(&action, "  %s:\n    description: %q\n    default: %q\n", in.name, in.help, in.inAction())
		preset := ""
		if in.preset != "" {
			preset = "`" + in.preset + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", in.name, preset, strings.ReplaceAll(in.help, "|", `\|`))
		if !in.onGitLab() {
			continue
		}
		fmt.Fprintf(&component, "    %s:\n      description: %q\n      default: %q\n", in.name, in.help, in.inComponent())
		if in.isBool {
			component.WriteString("      options: [\"false\", \"true\"]\n")
		}
		fmt.Fprintf(&variables, "    %s: $[[ inputs.%s ]]\n", in.variable(), in.name)
	}
	const writer = "written by go test ./internal/cli -update"
	section(t, actionFile, "# inputs: "+writer+"\n", "# end of inputs", action.String())
	section(t, componentFile, "    # inputs: "+writer+"\n", "    # end of inputs", component.String())
	section(t, componentFile, "    # variables: "+writer+"\n", "    # end of variables", variables.String())
	section(t, inputsPage, "<!-- inputs: "+writer+" -->\n", "<!-- end of inputs -->", page.String())
}

// section compares, or with -update writes, what is between two lines of a file.
func section(t *testing.T, path, begin, end, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	had, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %q with %q after it", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(had, want); diff != "" {
		t.Errorf("%s (-has +want):\n%s", path, diff)
	}
}

// documentsOf reads the YAML documents of a file.
func documentsOf(t *testing.T, path string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var one map[string]any
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, one)
	}
}

func keys(object any) []string {
	var all []string
	for key := range object.(map[string]any) {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

func TestTheActionIsWhatARunTakesAndTells(t *testing.T) {
	t.Parallel()
	action := documentsOf(t, actionFile)[0]
	inputs := action["inputs"].(map[string]any)
	var names []string
	for _, in := range inputsOfRun() {
		names = append(names, in.name)
		got, _ := inputs[in.name].(map[string]any)
		if got["description"] != in.help || got["default"] != in.inAction() {
			t.Errorf("input %s is %v", in.name, got)
		}
	}
	if diff := cmp.Diff(names, keys(inputs)); diff != "" {
		t.Errorf("inputs (-flags +action):\n%s", diff)
	}
	told := []string{"report"}
	for _, p := range outputs(&report.Result{}, &report.Snapshot{}, "") {
		told = append(told, p.Name)
	}
	slices.Sort(told)
	if diff := cmp.Diff(told, keys(action["outputs"])); diff != "" {
		t.Errorf("outputs (-told +action):\n%s", diff)
	}
	want := map[string]any{"using": "docker", "image": "Dockerfile", "args": []any{"run"}}
	if diff := cmp.Diff(want, action["runs"]); diff != "" {
		t.Errorf("runs (-want +action):\n%s", diff)
	}
}

// The variables of the component and of the plain include reach flags, and the outputs of one job, which are variables of
// the jobs after it, reach none.
func TestTheVariablesOfGitLabAreInputs(t *testing.T) {
	t.Parallel()
	known := map[string]string{}
	for _, in := range inputsOfRun() {
		known[in.variable()] = in.name
	}
	component := documentsOf(t, componentFile)
	if len(component) != 2 {
		t.Fatalf("%s has %d documents; its header is to be one of two", componentFile, len(component))
	}
	declared := component[0]["spec"].(map[string]any)["inputs"].(map[string]any)
	job := component[1]["$[[ inputs.job-name ]]"].(map[string]any)
	for name, value := range job["variables"].(map[string]any) {
		if value != "$[[ inputs."+known[name]+" ]]" || declared[known[name]] == nil {
			t.Errorf("the component passes %s: %v", name, value)
		}
	}
	plain := documentsOf(t, includeFile)[0][".penstock"].(map[string]any)
	for name := range plain["variables"].(map[string]any) {
		if known[name] == "" {
			t.Errorf("the include sets %s, which is no input", name)
		}
	}
	for name := range dotenv(outputs(&report.Result{}, &report.Snapshot{}, "")) {
		if in := known[(shippedInput{name: name}).variable()]; in != "" {
			t.Errorf("the output %s of a job would be the input %s of the next", name, in)
		}
	}
	// Both are the same job, but for what the component asks for.
	ofInputs := strings.NewReplacer("$[[ inputs.report-dir ]]", "penstock-report", "$[[ inputs.job-image ]]", "$PENSTOCK_JOB_IMAGE",
		"$[[ inputs.environment ]]", "production", "$[[ inputs.stage ]]", "deploy")
	for _, of := range []map[string]any{job, plain} {
		delete(of, "variables")
	}
	text, err := yaml.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	if err := yaml.Unmarshal([]byte(ofInputs.Replace(string(text))), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("the include (-component +include):\n%s", diff)
	}
}

// Whatever a document passes to the action is an input of it, and reads as a workflow to actionlint, if that is there.
func TestTheWorkflowsOfDocumentsUseTheActionRight(t *testing.T) {
	t.Parallel()
	inputs := documentsOf(t, actionFile)[0]["inputs"].(map[string]any)
	paths, steps := []string{}, 0
	for _, d := range documentsForPeople(t) {
		for i, block := range d.blocks("yaml") {
			var workflow struct {
				Jobs map[string]struct {
					Steps []struct {
						Uses string
						With map[string]any
					}
				}
			}
			if err := yaml.Unmarshal([]byte(block), &workflow); err != nil || len(workflow.Jobs) == 0 {
				continue // checked elsewhere, or no workflow
			}
			path := filepath.Join(t.TempDir(), fmt.Sprintf("%s-%d.yml", d.name, i))
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
			for _, job := range workflow.Jobs {
				for _, step := range job.Steps {
					if !strings.HasPrefix(step.Uses, "penstock-dev/penstock@") {
						continue
					}
					steps++
					for name := range step.With {
						if inputs[name] == nil {
							t.Errorf("%s: %q is no input of the action", d.name, name)
						}
					}
				}
			}
		}
	}
	if steps < 4 {
		t.Errorf("only %d steps of the documents use the action", steps)
	}
	tool, err := exec.LookPath("actionlint")
	if err != nil {
		t.Log("actionlint is not on the path, so the workflows were only parsed")
		return
	}
	out, err := exec.CommandContext(t.Context(), tool, append([]string{"-shellcheck=", "-pyflakes="}, paths...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
