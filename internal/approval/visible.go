package approval

import (
	"iter"
	"strings"
)

// readLimit is how much of a comment is read, in bytes.
const readLimit = 4096

// visibleLine is a line of a comment with what readers do not see as text blanked out.
type visibleLine struct {
	text   string
	quoted bool // continues the paragraph of a quote, so that it is shown as part of it
}

// visibleLines returns the lines of a comment by number. Hidden lines are empty. What is unclear is hidden: the forges do
// not agree about markdown in every corner, and a command that only some readers see must not count.
func visibleLines(body string) iter.Seq2[int, visibleLine] {
	lines := firstLines(body)
	hidden := fenced(lines)
	hideHTML(lines, hidden)
	quoted := quotes(lines, hidden)
	for i := range lines {
		if hidden[i] {
			lines[i] = ""
		}
	}
	blankCode(lines)
	hideOpenEnds(lines)
	return func(yield func(int, visibleLine) bool) {
		for i, line := range lines {
			if !yield(i, visibleLine{text: line, quoted: quoted[i]}) {
				return
			}
		}
	}
}

// firstLines cuts a comment into lines. A line that the limit cuts through is dropped: half a command is another command.
func firstLines(body string) []string {
	cut := len(body) > readLimit
	if cut {
		body = body[:readLimit+1] // one more, in case that the limit falls on a line's end
	}
	body = strings.ReplaceAll(body, "\r\n", "\n")
	lines := strings.Split(strings.ReplaceAll(body, "\r", "\n"), "\n")
	if cut {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// fenced marks the lines of fenced code blocks. A block that nobody closes goes to the end.
func fenced(lines []string) []bool {
	marks := make([]bool, len(lines))
	fence := ""
	for i, line := range lines {
		run := fenceOf(line)
		switch {
		case fence == "" && run != "":
			fence = run
			marks[i] = true
		case fence != "":
			marks[i] = true
			if run != "" && run[0] == fence[0] && len(run) >= len(fence) && strings.TrimLeft(strings.TrimSpace(line), run[:1]) == "" {
				fence = ""
			}
		}
	}
	return marks
}

// fenceOf returns the run of backticks or tildes that makes a line a fence, or "".
func fenceOf(line string) string {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || text == "" || text[0] != '`' && text[0] != '~' {
		return ""
	}
	rest := strings.TrimLeft(text, text[:1])
	run := text[:len(text)-len(rest)]
	if len(run) < 3 || text[0] == '`' && strings.Contains(rest, "`") {
		return ""
	}
	return run
}

// quotes marks the lines that continue a quote without its sign, and hides those that have it.
func quotes(lines []string, hidden []bool) []bool {
	marks := make([]bool, len(lines))
	inside := false
	for i, line := range lines {
		text := withoutBullets(line)
		switch {
		case hidden[i]:
			inside = false
		case strings.HasPrefix(text, ">"):
			inside, hidden[i] = true, true
		case text == "":
			inside = false
		default:
			marks[i] = inside
		}
	}
	return marks
}

// withoutBullets returns a line without the signs of the lists that it opens: a quote may stand in a list.
func withoutBullets(line string) string {
	for {
		line = strings.TrimLeft(line, " \t")
		mark := strings.TrimLeft(line, "0123456789")
		if mark == "" || !strings.ContainsRune("-+*.)", rune(mark[0])) || len(mark) < 2 || mark[1] != ' ' && mark[1] != '\t' {
			return line
		}
		line = mark[1:]
	}
}

// blankCode blanks the code spans of every paragraph: they may go over several lines.
func blankCode(lines []string) {
	for start := 0; start < len(lines); start++ {
		end := start
		for end < len(lines) && strings.TrimSpace(lines[end]) != "" {
			end++
		}
		if end == start {
			continue
		}
		copy(lines[start:end], strings.Split(blankSpans(strings.Join(lines[start:end], "\n")), "\n"))
		start = end
	}
}

// blankSpans replaces what stands between two equally long runs of backticks.
func blankSpans(text string) string {
	out := []byte(text)
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++ // the next character means itself
		case '`':
			length := runAt(text, i)
			end := closing(text, i+length, length)
			if end < 0 {
				i += length - 1
				continue
			}
			for j := i; j < end; j++ {
				if out[j] != '\n' {
					out[j] = '`' // not a blank: what is left of the line must not become a command
				}
			}
			i = end - 1
		}
	}
	return string(out)
}

func runAt(text string, i int) int { return len(text[i:]) - len(strings.TrimLeft(text[i:], "`")) }

// closing returns where the run that closes a code span ends, or -1.
func closing(text string, from, length int) int {
	for i := from; i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		run := runAt(text, i)
		if run == length {
			return i + run
		}
		i += run - 1
	}
	return -1
}
