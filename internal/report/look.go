package report

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// minWidth is the narrowest terminal that frames are drawn for; a narrower one gets this width.
const minWidth = 40

// Look says what the reader's terminal can show.
type Look struct {
	Width  int  // columns; less than 40 counts as 40, 0 as 80
	Height int  // rows that a live frame may take; 0 is no limit
	Colour bool // false: no escape sequences at all
	ASCII  bool // nothing but ASCII characters
}

func (l Look) width() int {
	if l.Width == 0 {
		return 80
	}
	return max(l.Width, minWidth)
}

// text prepares text from outside.
func (l Look) text(s string) string {
	s = Clean(s)
	if l.ASCII {
		return toASCII(s)
	}
	return s
}

// glyph returns the first of the two in a terminal that can show it.
func (l Look) glyph(fancy, plain string) string {
	if l.ASCII {
		return plain
	}
	return fancy
}

// The inks are the 16 colours of the terminal's own theme, so that they suit a light as well as a dark background.
// None carries a meaning alone: each goes with a symbol or a word.
type ink int8

const (
	plain ink = iota
	strong
	faint
	good
	bad
	warn
	primaryInk
	canaryInk
)

func (l Look) paint(i ink, s string) string {
	if !l.Colour || s == "" {
		return s
	}
	style := lipgloss.NewStyle().Inline(true)
	switch i {
	case plain:
		return s
	case strong:
		style = style.Bold(true)
	case faint:
		style = style.Faint(true)
	case good:
		style = style.Foreground(lipgloss.Green)
	case bad:
		style = style.Foreground(lipgloss.Red).Bold(true)
	case warn:
		style = style.Foreground(lipgloss.Yellow)
	case primaryInk:
		style = style.Foreground(lipgloss.Cyan)
	case canaryInk:
		style = style.Foreground(lipgloss.Magenta)
	}
	return style.Render(s)
}

// cut shortens s to at most n columns, wide characters and escape sequences measured right.
func (l Look) cut(s string, n int) string {
	if n <= 0 {
		return ""
	}
	return ansi.Truncate(s, n, l.glyph("…", "~"))
}

// pad fills s up to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-lipgloss.Width(s))) }

// padLeft fills s up to n columns from the left, as numbers are set.
func padLeft(s string, n int) string { return strings.Repeat(" ", max(0, n-lipgloss.Width(s))) + s }

// spread puts left and right at the two ends of the line; when both do not fit, right goes.
func (l Look) spread(left, right string) string {
	gap := l.width() - lipgloss.Width(left) - lipgloss.Width(right)
	if right == "" || gap < 2 {
		return l.cut(left, l.width())
	}
	return left + strings.Repeat(" ", gap) + right
}

// wrap breaks s into at most limit lines of n columns; the last says when there is more.
func (l Look) wrap(s string, n, limit int) []string {
	if s == "" {
		return nil
	}
	lines := strings.Split(ansi.Wrap(s, max(n, 1), ""), "\n")
	if len(lines) > limit {
		lines = append(lines[:limit-1:limit-1], l.cut(strings.Join(lines[limit-1:], " "), n))
	}
	for i, line := range lines {
		lines[i] = disarm(l.cut(line, n))
	}
	return lines
}
