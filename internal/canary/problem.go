package canary

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a resource.
type Problem struct {
	File    string `json:"file,omitempty"`   // empty for an object that was read from a cluster
	Line    int    `json:"line,omitempty"`   // from 1; of the field, or of what the field is missing from
	Column  int    `json:"column,omitempty"` // from 1
	Object  string `json:"object,omitempty"` // such as `Canary "shop/podinfo"`, when it is known
	Path    string `json:"path,omitempty"`   // such as spec.analysis.metrics[0].interval; empty for a whole document
	Value   string `json:"value,omitempty"`  // as written; masked when it may be a secret
	Message string `json:"message"`          // says the value and what is allowed
}

// String returns the problem on one line, such as `canary.yaml:14: spec.service.port: 0 is not between 1 and 65535`.
func (p Problem) String() string {
	where := p.File
	switch {
	case where == "":
		where = p.Object
	case p.Line > 0:
		where = fmt.Sprintf("%s:%d", where, p.Line)
	}
	parts := make([]string, 0, 3)
	for _, part := range []string{where, p.Path, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// ProblemsError is everything that is wrong with the input, sorted by file and line.
type ProblemsError struct {
	Problems []Problem
	More     int // problems beyond the first ones of a hopeless file, which are only counted
}

// Error returns each problem on its own line.
func (e *ProblemsError) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// problemsPerFile bounds what is remembered of a file that is wrong from top to bottom.
const problemsPerFile = 100

// problems collects what is wrong.
type problems struct {
	list    []Problem
	perFile map[string]int
	more    int
}

// full reports whether further problems of the file are only counted.
func (ps *problems) full(file string) bool { return ps.perFile[file] >= problemsPerFile }

func (ps *problems) add(p Problem) {
	if ps.full(p.File) {
		ps.more++
		return
	}
	p.Path = legible(p.Path)
	if p.File == "" {
		p.Line, p.Column = 0, 0 // an object from a cluster was never on a line
	}
	if ps.perFile == nil {
		ps.perFile = map[string]int{}
	}
	ps.perFile[p.File]++
	ps.list = append(ps.list, p)
}

// longestPath is how much of a path is shown, in bytes: a key may be a whole novel.
const longestPath = 200

// legible makes a path fit for a terminal and for one line: its keys are whatever someone wrote.
func legible(path string) string {
	if len(path) > longestPath {
		path = strings.ToValidUTF8(path[:longestPath], "") + "…"
	}
	if strings.IndexFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return path
	}
	return strings.Trim(strconv.Quote(path), `"`)
}

// err returns all problems as one error, or nil.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &ProblemsError{Problems: slices.Compact(ps.list), More: ps.more}
}
