package cli

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// actionStep sets the environment as GitHub's runner does for a step of the action: every input that action.yml has, with
// its default where the step gives none, and so an empty one too.
//
//	step NAME=VALUE...  a value of @FILE is what the file holds
func actionStep(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("a step cannot be negated")
	}
	given := map[string]string{"github-token": ts.Getenv("GITHUB_TOKEN")}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if path, isFile := strings.CutPrefix(value, "@"); isFile {
			value = ts.ReadFile(path)
		}
		given[name] = value
	}
	for _, in := range inputsOfRun() {
		value, ok := given[in.name]
		if !ok {
			value = in.preset
		}
		ts.Setenv("INPUT_"+strings.ToUpper(in.name), value)
		delete(given, in.name)
	}
	for name := range given {
		ts.Fatalf("%s is no input", name)
	}
	ts.Setenv("GITHUB_TOKEN", "") // the runner gives a token to who asks for it, as an input
	ts.Setenv("KUBECONFIG", "")
}
