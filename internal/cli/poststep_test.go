package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestTheNameOfTheProgramFinalizes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"/usr/local/bin/penstock run":              "run",
		"penstock":                                 "",
		"/usr/local/bin/penstock-finalize run":     "finalize",
		"penstock-finalize":                        "finalize",
		"penstock-finalize --expired -f deploy":    "finalize --expired -f deploy",
		"penstock-finalize run run -f canary.yaml": "finalize run -f canary.yaml",
	} {
		if got := Arguments(strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q has the arguments %q, want %q", line, got, want)
		}
	}
	if got := Arguments(nil); got != nil {
		t.Errorf("an empty command line has the arguments %q", got)
	}
}
