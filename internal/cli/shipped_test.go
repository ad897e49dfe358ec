package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
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
	want := map[string]any{"using": "docker", "image": "Dockerfile", "post-entrypoint": "/usr/local/bin/" + finalizeName, "args": []any{"run"}}
	if diff := cmp.Diff(want, action["runs"]); diff != "" {
		t.Errorf("runs (-want +action):\n%s", diff)
	}
}
