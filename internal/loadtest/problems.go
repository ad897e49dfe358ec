package loadtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrForbidden is the error of a canary or a target whose namespace is not allowed.
var ErrForbidden = errors.New("namespace not allowed")

// ErrBusy is the error of a task for which there is no place in the queue.
var ErrBusy = errors.New("too many tasks are waiting")

// Problems is everything that is wrong with a task.
type Problems []string

// Error returns all of them in one line.
func (p Problems) Error() string {
	return strings.Join(p, "; ")
}

// addf adds a problem. Say the field, its value and what is allowed.
func (p *Problems) addf(format string, args ...any) {
	*p = append(*p, fmt.Sprintf(format, args...))
}

// err returns the problems as an error, or nil when there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// listed returns names in order, for a sentence.
func listed(names []string) string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return strings.Join(sorted, ", ")
}

// short keeps a value from outside from filling the line that names it.
func short(value string) string { return clip(value, 80) }

// clip keeps a text in one line of so many characters.
func clip(text string, most int) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most]) + "…"
}
