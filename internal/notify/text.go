package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	ellipsis = "…"

	// apart is the zero-width space: put between two characters, it keeps a platform from reading them together.
	apart = "\u200b"

	joiner = '\u200d' // makes one emoji of several

	// maxMarks is how many combining marks one letter may carry; more of them draw over the lines above and below.
	maxMarks = 2
)

// oneLine cleans text from outside and puts it into one line.
func oneLine(text string) string {
	return strings.Join(strings.Fields(clean(text)), " ")
}

// manyLines cleans text from outside and keeps its lines, with at most one empty line in a row.
func manyLines(text string) string {
	var lines []string
	for line := range strings.SplitSeq(clean(text), "\n") {
		line = strings.TrimRight(line, " ")
		if line != "" || (len(lines) > 0 && lines[len(lines)-1] != "") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// clean replaces what a reader cannot see, and what would change the direction or the place of other text, by U+FFFD.
func clean(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	marks := 0
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, r := range text {
		if r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me) { // none before
			marks++
		} else {
			marks = 0
		}
		switch {
		case marks > maxMarks:
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' || r == '\v' || r == '\f' || r == '\u0085':
			b.WriteByte('\n')
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsPrint(r) || r == joiner:
			b.WriteRune(r)
		default:
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

// escape writes one character so that a platform shows it and does nothing else. prev is the one before it, 0 at the
// start.
type escape func(prev, r rune) string

// line escapes text as one line of at most limit UTF-16 units. Platforms that count characters count no more than that.
func (e escape) line(text string, limit int) string { return e.fit(oneLine(text), limit) }

// block escapes text of several lines.
func (e escape) block(text string, limit int) string { return e.fit(manyLines(text), limit) }

// fit cuts where neither an escape nor a letter with its marks is taken apart.
func (e escape) fit(text string, limit int) string {
	var b strings.Builder
	var prev rune
	used, cut := 0, 0
	runes := []rune(text)
	for i, r := range runes {
		s := e(prev, r)
		if used += units(s); used > limit {
			if limit < units(ellipsis) {
				return ""
			}
			return strings.TrimRight(b.String()[:cut], " \n") + ellipsis
		}
		b.WriteString(s)
		if used+units(ellipsis) <= limit && (i+1 == len(runes) || !joined(r, runes[i+1])) {
			cut = b.Len()
		}
		prev = r
	}
	return b.String()
}

// joined reports whether two characters are drawn as one.
func joined(r, next rune) bool {
	if next < 0x300 {
		return false // no marks before, and a joiner joins no such letter
	}
	const lightest, darkest = '\U0001f3fb', '\U0001f3ff' // skin tones
	return r == joiner || next == joiner || unicode.In(next, unicode.Mn, unicode.Me, unicode.Mc) ||
		(next >= lightest && next <= darkest)
}

// units is the length of text in UTF-16.
func units(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// plain is for places that show text as it is.
var plain escape = func(_, r rune) string { return string(r) }

// markup is for places that read HTML, or Slack's markup, which has the same three special characters.
var markup escape = func(_, r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r)
}

// broken is markup for places that read HTML and take a line break for a blank.
var broken escape = func(prev, r rune) string {
	if r == '\n' {
		return "<br>"
	}
	return markup(prev, r)
}

// callsNobody is for places that show text as it is, but may look for mentions.
var callsNobody escape = func(prev, r rune) string {
	if calls(prev, r) {
		return "@" + apart
	}
	return string(r)
}

// calls reports whether r begins a mention: app@sha256 and a@example.com begin none, and stay as they can be copied.
func calls(prev, r rune) bool {
	return r == '@' && !unicode.IsLetter(prev) && !unicode.IsDigit(prev)
}

func startsLine(prev rune) bool { return prev == 0 || prev == '\n' }
