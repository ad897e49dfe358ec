package canary_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const testdata = "../../testdata/canary"

// load reads files into memory, named without their folder.
func load(t testing.TB, pattern string) []canary.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(testdata, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	files := make([]canary.File, 0, len(names))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, canary.File{Name: filepath.Base(name), Data: data})
	}
	return files
}

// golden compares a text with a file, or writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEveryExampleParses(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, f := range load(t, "examples/*.yaml") {
		set, err := canary.Parse([]canary.File{f})
		if err != nil {
			t.Errorf("%s:\n%v", f.Name, err)
		}
		kinds["canaries"] += len(set.Canaries)
		kinds["templates"] += len(set.Templates)
		kinds["providers"] += len(set.Providers)
		kinds["others"] += len(set.Others)
	}
	want := map[string]int{"canaries": 4, "templates": 2, "providers": 3, "others": 1}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestEveryGoodFileParses(t *testing.T) {
	t.Parallel()
	for _, f := range load(t, "good/*") {
		if _, err := canary.Parse([]canary.File{f}); err != nil {
			t.Errorf("%s:\n%v", f.Name, err)
		}
	}
}

func TestAFragmentSaysExactlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, f := range load(t, "examples/fragments/*.yaml") {
		_, err := canary.Parse([]canary.File{f})
		if err == nil {
			t.Errorf("%s parses, but is not complete", f.Name)
			continue
		}
		golden(t, "examples/fragments/"+strings.TrimSuffix(f.Name, ".yaml")+".golden", err.Error()+"\n")
	}
}

func TestACompletedFragmentParses(t *testing.T) {
	t.Parallel()
	const missing = "spec:\n  targetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: myapp\n" +
		"  service:\n    port: 80\n  analysis:\n    stepWeight: 10\n"
	for _, f := range load(t, "examples/fragments/*.yaml") {
		f.Data = []byte(strings.Replace(string(f.Data), "spec:\n  analysis:\n", missing, 1))
		if _, err := canary.Parse([]canary.File{f}); err != nil {
			t.Errorf("%s:\n%v", f.Name, err)
		}
	}
}

func TestBadFilesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, f := range load(t, "bad/*") {
		if filepath.Ext(f.Name) == ".golden" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			_, err := canary.Parse([]canary.File{f})
			if err == nil {
				t.Fatal("it parses")
			}
			golden(t, "bad/"+strings.TrimSuffix(f.Name, filepath.Ext(f.Name))+".golden", err.Error()+"\n")
		})
	}
}
