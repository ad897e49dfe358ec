package loadtest

import (
	"errors"
	"fmt"
	"strings"
)

// errShell is the error of a command line that only a shell understands.
var errShell = errors.New("it needs a shell")

// blanks separate words; a new line is none of them, since it ends a command.
const blanks = " \t\r"

// splitter takes a command line apart.
type splitter struct {
	literal bool // what means more to a shell stands for itself
	rest    string
	word    strings.Builder
	inWord  bool
	words   []string
}

// splitWords takes a simple command apart into words, by the quoting of the shell. A line that would mean more to a shell
// than words (pipes, variables, substitutions, comments) is an errShell: without a shell it would do something else than it
// says. Patterns are words, as they are to a shell when no file matches: a URL may well have a question mark.
func splitWords(line string) ([]string, error) {
	return (&splitter{rest: strings.TrimSpace(line)}).split()
}

// splitArguments takes the arguments of a program apart that no shell will see: only quotes and blanks have a meaning.
func splitArguments(line string) ([]string, error) {
	return (&splitter{rest: strings.TrimSpace(line), literal: true}).split()
}

func (s *splitter) split() ([]string, error) {
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

// take returns the next byte. Every byte that means something is ASCII, so the others may be taken one by one.
func (s *splitter) take() byte {
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c
}

func (s *splitter) add(c byte) {
	s.inWord = true
	s.word.WriteByte(c)
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

func (s *splitter) step() error {
	switch c := s.take(); {
	case strings.IndexByte(blanks, c) >= 0:
		s.end()
	case c == '\'':
		return s.single()
	case c == '"':
		return s.double()
	case c == '\\':
		return s.escaped()
	case s.literal && c == '\n':
		s.end()
	case !s.literal && s.meansMore(c):
		return fmt.Errorf("%w for the %q outside of quotes", errShell, c)
	default:
		s.add(c)
	}
	return nil
}

// meansMore reports whether a shell would do more with an unquoted byte than take it.
func (s *splitter) meansMore(c byte) bool {
	return strings.IndexByte("|&;<>()$`\n", c) >= 0 || (!s.inWord && (c == '#' || c == '~'))
}

// escaped takes what follows a backslash; a line that goes on in the next one is one line.
func (s *splitter) escaped() error {
	if s.rest == "" {
		return errors.New("it ends with a backslash")
	}
	if c := s.take(); c != '\n' {
		s.add(c)
	}
	return nil
}

func (s *splitter) single() error {
	text, rest, closed := strings.Cut(s.rest, "'")
	if !closed {
		return errors.New("a ' has no end")
	}
	s.inWord = true
	s.word.WriteString(text)
	s.rest = rest
	return nil
}

func (s *splitter) double() error {
	s.inWord = true
	for s.rest != "" {
		switch c := s.take(); {
		case c == '"':
			return nil
		case !s.literal && (c == '$' || c == '`'):
			return fmt.Errorf("%w for the %q", errShell, c)
		case c == '\\':
			if s.rest == "" || strings.IndexByte("\\\"$`\n", s.rest[0]) < 0 {
				s.add(c)
				continue
			}
			if next := s.take(); next != '\n' {
				s.add(next)
			}
		default:
			s.add(c)
		}
	}
	return errors.New(`a " has no end`)
}
