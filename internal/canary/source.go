package canary

import "strings"

// position is a place in a file, from 1.
type position struct{ line, column int }

// source remembers where the fields of an object were written, and which of them are already known to be wrong.
type source struct {
	file   string
	object string
	fields map[string]position
	broken map[string]bool
}

func newSource(file string) *source {
	return &source{file: file, fields: map[string]position{}, broken: map[string]bool{}}
}

// has reports whether a field was written at all; a null counts as not written.
func (s *source) has(path string) bool {
	_, ok := s.fields[path]
	return ok
}

// find returns where a field was written, or the nearest thing around it that was.
func (s *source) find(path string) position {
	for ; path != ""; path = parent(path) {
		if p, ok := s.fields[path]; ok {
			return p
		}
	}
	return s.fields[""]
}

// excused reports whether a problem at path only follows from one that has been reported.
func (s *source) excused(path string) bool {
	for p := path; p != ""; p = parent(p) {
		if s.broken[p] {
			return true
		}
	}
	return s.broken[""]
}

// join appends a field to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// parent removes the last element of a path: a field, an index or a quoted key.
func parent(path string) string {
	if strings.HasSuffix(path, `"]`) {
		if i := strings.LastIndex(path, `["`); i >= 0 {
			return path[:i]
		}
	}
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}
