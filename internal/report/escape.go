package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text from outside means nothing in a comment. What a forge acts on when it draws markdown is not only the syntax:
// after the syntax it looks for mentions, references to issues and commits, and addresses, and it decodes entities before
// that, so that "&#64;user" still calls a person. Neither GitHub nor GitLab looks inside code spans and code blocks. So a
// word that could mean something becomes a code span, and only words of plain letters, digits and a few marks stay text.

// prose writes text from outside for use within a paragraph, never at the start of one. It is one line.
func prose(text string) string {
	var b strings.Builder
	var odd []string
	flush := func() {
		if len(odd) > 0 {
			sep(&b)
			b.WriteString(span(strings.Join(odd, " ")))
			odd = nil
		}
	}
	for _, word := range strings.Fields(unmarked(Clean(text))) {
		if !plainWord(word) {
			odd = append(odd, word)
			continue
		}
		flush()
		sep(&b)
		b.WriteString(word)
	}
	flush()
	return b.String()
}

func sep(b *strings.Builder) {
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
}

// plainWord reports whether neither markdown nor a forge sees more in a word than letters.
func plainWord(word string) bool {
	digits := 0
	for i, r := range word {
		last := i+utf8.RuneLen(r) == len(word)
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
		case strings.ContainsRune(`.,;"'()?`, r), r >= 0x80:
		case r == '-': // begins a list at the start of a paragraph only
		case r == '/':
			if i == 0 || last {
				return false // a quick action
			}
		case r == '%': // before a name it is a milestone
			if digits == 0 || !last && !strings.ContainsRune(".,;:)\"'", rune(word[i+1])) {
				return false
			}
		case r == ':': // within a word it may be an address or an emoji
			if !last || i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return !reference(word)
}

// issues and commits are what the forges link without any mark: GH-12, SHOP-7, 0a1b2c3d.
var (
	issues  = regexp.MustCompile(`(?i)\b[a-z][a-z0-9]*-[0-9]+\b`)
	commits = regexp.MustCompile(`(?i)\b[0-9]*[a-f][0-9a-f]*\b`)
)

// reference reports whether a word holds an address, or names an issue or a commit to a forge.
func reference(word string) bool {
	if strings.Contains(strings.ToLower(word), "www.") || issues.MatchString(word) {
		return true
	}
	const shortest = 7 // characters of a commit
	for _, hex := range commits.FindAllString(word, -1) {
		if len(hex) >= shortest {
			return true
		}
	}
	return false
}

// unmarked takes apart the beginning of an HTML comment, even in code: a comment is found again by the one that it holds,
// and text from outside must not look like it.
func unmarked(text string) string { return strings.ReplaceAll(text, "<!--", "<! --") }

// code writes text from outside as a code span of one line, or nothing when it is empty.
func code(text string) string {
	text = unmarked(Clean(text))
	if text == "" {
		return ""
	}
	return span(text)
}

// span puts clean text between more backticks than it holds in a row. Blanks keep its own backticks away from them; the
// forges take those blanks off again.
func span(text string) string {
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

func longestRun(text string, of byte) int {
	longest, run := 0, 0
	for i := range len(text) {
		if text[i] != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// cell makes markdown that prose or code wrote fit into a cell of a table. A table is cut into cells before anything else
// is looked at, so that even a code span ends at a bar. A backslash of the text itself must not stand before the one that
// is written here: some versions would read the two as one backslash, and the bar as the end of the cell.
func cell(markdown string) string {
	markdown = strings.ReplaceAll(markdown, `\|`, `\ |`)
	return strings.ReplaceAll(markdown, "|", `\|`)
}

// fence writes text from outside as a code block of at most limit bytes of content, its lines kept. What is left out is
// counted.
func fence(text string, limit int) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		rest := strings.TrimLeft(line, " \t")
		indent := min(len(line)-len(rest), 16)
		lines[i] = strings.TrimRight(strings.Repeat(" ", indent)+unmarked(Clean(rest)), " ")
	}
	body := clip(strings.Trim(strings.Join(lines, "\n"), "\n"), limit)
	ticks := strings.Repeat("`", max(3, longestRun(body, '`')+1))
	return ticks + "text\n" + body + "\n" + ticks
}

// clip cuts text to at most limit bytes, at the end of a rune, and says how much is gone.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const room = 40 // for the note
	kept := head(text, max(limit-room, 0))
	return kept + fmt.Sprintf(" [… and %d bytes more]", len(text)-len(kept))
}

// head returns at most the first n bytes of text, whole runes only.
func head(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:max(n, 0)]
}
