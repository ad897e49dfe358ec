package forge

import (
	"fmt"
	"io"
	"strings"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/report"
)

// GitLabSections folds a job's log. Sections nest: the last one that was opened is the first to be closed. It is for one
// goroutine, the one that writes the log.
type GitLabSections struct {
	to    io.Writer
	clock clock.PassiveClock
	open  []string
	count int
}

// NewGitLabSections returns sections for the log that is written to w.
func NewGitLabSections(w io.Writer, c clock.PassiveClock) *GitLabSections {
	return &GitLabSections{to: w, clock: c}
}

// Open begins a section under a title. Whoever reads the log finds it folded if it is collapsed.
//
// The names of a log's sections must differ, or GitLab folds the wrong lines: the name gets a number. A marker in a text
// from outside cannot end a section, because report.Clean leaves no carriage return and no escape sequence in it.
func (s *GitLabSections) Open(name, title string, collapsed bool) error {
	s.count++
	name = fmt.Sprintf("%s_%d", sectionName(name), s.count)
	option := ""
	if collapsed {
		option = "[collapsed=true]"
	}
	s.open = append(s.open, name)
	return s.mark("section_start", name+option, report.Clean(title)+"\n")
}

// Close ends the section that was opened last. It does nothing when none is open.
func (s *GitLabSections) Close() error {
	if len(s.open) == 0 {
		return nil
	}
	last := len(s.open) - 1
	name := s.open[last]
	s.open = s.open[:last]
	return s.mark("section_end", name, "")
}

func (s *GitLabSections) mark(kind, name, title string) error {
	if _, err := fmt.Fprintf(s.to, "%s:%d:%s\r\x1b[0K%s", kind, s.clock.Now().Unix(), name, title); err != nil {
		return fmt.Errorf("write the section %q: %w", name, err)
	}
	return nil
}

// sectionName keeps what GitLab allows in a name.
func sectionName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			return r
		}
		return '_'
	}, name)
	if name == "" {
		return "section"
	}
	return name
}
