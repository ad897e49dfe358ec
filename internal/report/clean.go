package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks one letter may carry; more of them draw over the lines above and below.
const maxMarks = 2

// Clean makes text from outside fit to be shown within one line of a terminal or a CI log: line breaks and runs of blanks
// become one blank; control characters, escape sequences, invisible and direction-changing characters become visible
// escapes such as \x1b and \u202e; and what a CI runner would obey as a command at the start of a line is taken apart.
func Clean(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	blank, marks := false, 0
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, text[i])
			i, blank = i+1, false
			continue
		}
		i += n
		if unicode.IsSpace(r) || r == '\u2028' || r == '\u2029' {
			if !blank && b.Len() > 0 {
				b.WriteByte(' ')
			}
			blank = true
			continue
		}
		blank = false
		if r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		writeRune(&b, r, marks > maxMarks || b.Len() == 0 && marks > 0)
	}
	return strings.TrimRight(disarm(b.String()), " ")
}

func writeRune(b *strings.Builder, r rune, hide bool) {
	switch {
	case !hide && visible(r):
		b.WriteRune(r)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r > 0xffff:
		fmt.Fprintf(b, `\U%08x`, r)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// visible reports whether a terminal draws r where it stands, and nothing else happens.
func visible(r rune) bool {
	const brailleBlank = '\u2800'
	if r < 0x7f {
		return r >= ' '
	}
	return r != brailleBlank && unicode.IsPrint(r) &&
		!unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// disarm takes apart the two forms of a workflow command. GitHub's runner obeys "::name::" at the start of a line, blanks
// before it allowed, and the older "##[name]" anywhere in it. The line keeps its width.
func disarm(line string) string {
	line = strings.ReplaceAll(line, "##[", "# [")
	if trimmed := strings.TrimLeft(line, " "); strings.HasPrefix(trimmed, "::") {
		indent := line[:len(line)-len(trimmed)]
		return indent + ": " + trimmed[2:]
	}
	return line
}

// seal is the last step of every text of several lines: wrapping may have put a command at the start of a line, and
// padding may have left blanks at its end.
func seal(lines []string) string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = disarm(strings.TrimRight(line, " "))
	}
	return strings.Join(out, "\n") + "\n"
}

// toASCII writes what is not ASCII as escapes, for logs and terminals that know nothing else.
func toASCII(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			writeRune(&b, r, true)
		}
	}
	return b.String()
}
