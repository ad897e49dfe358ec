package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/penstock-dev/penstock/internal/loadtest"
)

// document is one of the texts for people.
type document struct{ name, path, text string }

// documentsForPeople are all of them: docs/, and what lies at the top.
func documentsForPeople(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, pattern := range []string{"../../docs/*.md", "../../*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 3 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			all = append(all, document{strings.TrimPrefix(name, "docs/"), path, string(text)})
		}
	}
	return all
}

// page returns the page of docs/ with this name.
func page(t *testing.T, name string) document {
	t.Helper()
	path := "../../docs/" + name
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return document{name, path, string(text)}
}

// snippet is one block of code, without the indentation that it has in a list.
type snippet struct{ language, text string }

// A block ends at the line that has the marks alone, so that marks within YAML do not end it.
var codeBlock = regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$")

func (d document) snippets() []snippet {
	var all []snippet
	for _, m := range codeBlock.FindAllStringSubmatch(d.text, -1) {
		lines := strings.SplitAfter(m[3], "\n")
		for i := range lines {
			lines[i] = strings.TrimPrefix(lines[i], m[1])
		}
		all = append(all, snippet{m[2], strings.Join(lines, "")})
	}
	return all
}

// blocks returns the code blocks of a language.
func (d document) blocks(language string) []string {
	var all []string
	for _, f := range d.snippets() {
		if f.language == language {
			all = append(all, f.text)
		}
	}
	return all
}

// languages are those of which a test knows what to check, and those that need no check: what a program prints, pictures.
var languages = []string{"yaml", "sh", "go", "text", "json", "mermaid"}

func TestEveryBlockOfADocumentSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, d := range documentsForPeople(t) {
		for _, f := range d.snippets() {
			if !slices.Contains(languages, f.language) {
				t.Errorf("%s: a block of %q; known are %v:\n%s", d.name, f.language, languages, f.text)
			}
		}
		if n := strings.Count(codeBlock.ReplaceAllString(d.text, ""), "```"); n > 0 {
			t.Errorf("%s: %d marks of blocks belong to no block", d.name, n)
		}
	}
}

var mentioned = regexp.MustCompile("`[^`\n]*?(--[a-z][a-z-]*)[^`\n]*`")

func TestDocumentsMentionOnlyFlagsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"--help": true}
	for _, c := range everyCommand(commandTree()) {
		c.Flags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
	}
	ghz := flagsOfGHZ(t)
	for _, d := range documentsForPeople(t) {
		for _, m := range mentioned.FindAllStringSubmatch(codeBlock.ReplaceAllString(d.text, ""), -1) {
			if !known[m[1]] && (d.name != "loadtest.md" || !slices.Contains(ghz, m[1])) {
				t.Errorf("%s: %s is no flag of penstock", d.name, m[0])
			}
		}
	}
}

// flagsOfGHZ are those that a task may have, as the error for one that is not known lists them.
func flagsOfGHZ(t *testing.T) []string {
	t.Helper()
	tester, err := loadtest.New(loadtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = tester.Check(loadtest.Payload{Name: "podinfo", Namespace: "test", Metadata: map[string]string{"cmd": "ghz --no-such-flag"}})
	if err == nil {
		t.Fatal("a flag that does not exist is taken")
	}
	return regexp.MustCompile("--[a-zA-Z-]+").FindAllString(strings.SplitAfter(err.Error(), "allowed are")[1], -1)
}
