package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/penstock-dev/penstock/internal/report"
)

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
}

// The component and the plain include are the same job, but for what the component asks for.
func TestTheIncludeIsTheJobOfTheComponent(t *testing.T) {
	t.Parallel()
	job := documentsOf(t, componentFile)[1]["$[[ inputs.job-name ]]"].(map[string]any)
	plain := documentsOf(t, includeFile)[0][".penstock"].(map[string]any)
	delete(job, "variables")
	delete(plain, "variables")
	text, err := yaml.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	filled := strings.NewReplacer("$[[ inputs.report-dir ]]", "penstock-report", "$[[ inputs.job-image ]]", "$PENSTOCK_JOB_IMAGE",
		"$[[ inputs.environment ]]", "production", "$[[ inputs.stage ]]", "deploy").Replace(string(text))
	if err := yaml.Unmarshal([]byte(filled), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("the include (-component +include):\n%s", diff)
	}
}
