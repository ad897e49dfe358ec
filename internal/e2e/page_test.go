package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// block is a piece of code in a page, after the line that says what to do with it.
var block = regexp.MustCompile("(?m)^(?:(New file|Line in) `([^`]+)`[^\n]*:\n\n)?```(go|yaml|sh)\n((?s:.*?))^```$")

// The page that tells how to add a router is followed to the letter in a copy of the repository.
func TestARouterIsAddedAsThePageSays(t *testing.T) {
	// Not in parallel: a rehearsal runs against real time.
	page, err := os.ReadFile("../../docs/adding-a-router.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, part := range []string{"cmd", "internal", "testdata", "docs"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "README.md"} {
		writeText(t, filepath.Join(dir, file), readText(t, filepath.Join("../..", file)))
	}
	done := map[string]int{}
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		what, path, language, text := m[1], filepath.Join(dir, m[2]), m[3], m[4]
		done[what+language]++
		switch {
		case what == "New file":
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			writeText(t, path, text)
		case what == "Line in":
			writeText(t, path, insert(t, path, text))
		case language == "sh":
			for line := range strings.Lines(text) {
				command(t, dir, strings.TrimSpace(line))
			}
		}
	}
	if done["New filego"] != 3 || done["Line ingo"] != 4 || done["New fileyaml"] != 3 || done["sh"] != 2 {
		t.Errorf("the page has %v", done)
	}
	if readme := readText(t, filepath.Join(dir, "README.md")); !strings.Contains(readme, "| `weir` | Weir | any |") {
		t.Error("the README's table lacks the router")
	}
}

// insert puts a line after the last one that names traefik.
func insert(t *testing.T, path, line string) string {
	t.Helper()
	before, after, found := strings.Cut(readText(t, path), `"traefik"`)
	rest, tail, ended := strings.Cut(after, "\n")
	if !found || !ended {
		t.Fatalf("%s has no line with \"traefik\"", path)
	}
	return before + `"traefik"` + rest + "\n" + line + tail
}

// command runs a line of the page, with the tests of the new router alone where the page runs those of all.
func command(t *testing.T, dir, line string) {
	t.Helper()
	args := strings.Fields(line)
	if args[0] != "go" || args[1] != "test" {
		t.Fatalf("the page has the command %q", line)
	}
	if !strings.Contains(line, "-run") {
		args = append(args, "-run", "Router|Readme|Golden|IsReadBack|Builtin|Provider")
	}
	args[len(args)-1] += "/weir"
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(fmt.Errorf("follow the page: %w", err))
	}
}
