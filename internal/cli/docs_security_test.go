package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z]+)\(`)
	// threat is a row of a table of threats: what, the answer, and what shows it.
	threat = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([^|]*) \|$`)
)

// TestEveryTestThatADocumentNamesExists keeps what the documents promise with the tests that show it.
func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	err := filepath.WalkDir("../../internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documentsForPeople(t) {
		for _, m := range testName.FindAllStringSubmatch(d.text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no %s", d.name, m[1])
			}
		}
	}
}

func TestEveryThreatHasAnAnswerThatATestShows(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(page(t, "security.md").text, "## Threats and answers")
	text, _, _ = strings.Cut(text, "\n## ")
	found := 0
	for _, row := range threat.FindAllStringSubmatch(text, -1) {
		if row[1] == "threat" {
			continue
		}
		found++
		if !testName.MatchString(row[3]) {
			t.Errorf("no test shows the answer to %q", row[1])
		}
	}
	if found < 20 {
		t.Errorf("%d threats", found)
	}
}
