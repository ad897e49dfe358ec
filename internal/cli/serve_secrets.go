package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// problems collects what is wrong with inputs, so that all of it is said at once.
type problems []error

func (p *problems) add(err error) {
	if err != nil {
		*p = append(*p, err)
	}
}

func (p *problems) addf(format string, args ...any) { p.add(fmt.Errorf(format, args...)) }

func (p problems) err() error { return errors.Join(p...) }

// secretInput is an input whose values may also stand in files.
type secretInput struct {
	name         string
	texts, files []string
	least        int // characters; 0 is any but none
}

// secrets returns the values of an input. What is wrong is said without them.
func (p *problems) secrets(in secretInput) []string {
	var all []string
	for _, text := range in.texts {
		all = append(all, strings.TrimSpace(text))
	}
	for _, path := range in.files {
		text, err := os.ReadFile(path)
		if err != nil {
			p.addf("%s-file: %w", in.name, err)
			continue
		}
		found := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
		if len(found) == 0 {
			p.addf("%s-file: %q is empty", in.name, path)
		}
		for _, line := range found {
			all = append(all, strings.TrimSpace(line))
		}
	}
	for i, secret := range all {
		switch n := len([]rune(secret)); {
		case n == 0:
			p.addf("%s: number %d is empty", in.name, i+1)
		case n < in.least:
			p.addf("%s: number %d has %d characters; want at least %d, since it can be guessed at (its text is not shown)", in.name, i+1, n, in.least)
		}
	}
	return all
}

// secret returns the only value of an input; empty when there is none.
func (p *problems) secret(in secretInput) string {
	all := p.secrets(in)
	if len(all) > 1 {
		p.addf("%s: %d are given; use one of them", in.name, len(all))
	}
	return strings.Join(all[:min(1, len(all))], "")
}

// given is a list of one value, or none when it is empty.
func given(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
