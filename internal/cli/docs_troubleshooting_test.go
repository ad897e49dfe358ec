package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// texts returns every text that the program's own source holds, joined where it is written in several pieces, and with "…"
// for what is filled in.
func texts(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("../../internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "e2e" {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, whole := constant(e)
			if text != "" {
				all = append(all, verb.ReplaceAllString(text, "…"))
			}
			return !whole
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// constant returns the text of a literal, or of a sum of literals.
func constant(e ast.Expr) (text string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		left, l := constant(e.X)
		right, r := constant(e.Y)
		return left + right, l && r
	}
	return "", false
}

var (
	verb    = regexp.MustCompile(`%[+#]?[a-z]`)
	symptom = regexp.MustCompile("(?m)^\\|(?: [0-9]+ \\|)? `([^`]+)` \\|")
)

// says reports whether a text of the source, with "…" for what is filled in, can hold a message in which "…" stands for anything.
func says(source, message string) bool {
	for part := range strings.SplitSeq(strings.Trim(message, "… "), "…") {
		_, rest, found := strings.Cut(source, strings.TrimSpace(part))
		if !found {
			return false
		}
		source = rest
	}
	return true
}

// said reports whether the program says a message, or each part of it: a cause follows a colon.
func said(all []string, message string) bool {
	for _, text := range all {
		if says(text, message) {
			return true
		}
	}
	before, after, found := strings.Cut(message, ": ")
	return found && said(all, before) && said(all, after)
}

// TestTheMessagesOfTheTroublesAreReal looks each symptom of the pages up in the source of the program.
func TestTheMessagesOfTheTroublesAreReal(t *testing.T) {
	t.Parallel()
	all, found := texts(t), 0
	for _, name := range []string{"troubleshooting.md", "reach.md", "rollout.md", "github.md"} {
		d := page(t, name)
		for _, m := range symptom.FindAllStringSubmatch(d.messages(), -1) {
			message := digits.ReplaceAllString(quoted.ReplaceAllString(m[1], "…"), "…")
			found++
			if !said(all, message) {
				t.Errorf("%s: nothing in the program says %q", name, m[1])
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d messages found", found)
	}
}

var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	digits = regexp.MustCompile(`\b[0-9]+\b`)
)

// messages are the tables of a page whose first column, or second after an exit code, is what the program says.
func (d document) messages() string {
	var tables strings.Builder
	inside := false
	for line := range strings.Lines(d.text) {
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case strings.HasPrefix(line, "| symptom ") || strings.HasPrefix(line, "| exit code | symptom ") || strings.HasPrefix(line, "| message ") ||
			strings.HasPrefix(line, "| you see ") || strings.HasPrefix(line, "| what it says "):
			inside = true
		case inside:
			tables.WriteString(line)
		}
	}
	return tables.String()
}
