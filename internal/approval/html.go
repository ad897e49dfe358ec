package approval

import (
	"slices"
	"strings"
)

// elements are the HTML elements whose content is shown as code, as a quote, folded away or not at all.
const elements = "pre code blockquote details script style textarea template samp kbd"

// opening is where a line opens something that hides, and what closes it.
type opening struct {
	at        int
	sign, end string
}

// hideHTML marks the lines that a comment or one of the elements hides, besides those that are hidden already. A line is
// hidden as a whole: a command is alone on its line.
func hideHTML(lines []string, hidden []bool) {
	fences := slices.Clone(hidden)
	for i := 0; i < len(lines); i++ {
		if fences[i] {
			continue
		}
		open := opens(lines[i])
		if open.end == "" {
			continue
		}
		last, after := lastLine(lines, i, open)
		for ; i < last; i++ {
			hidden[i] = true
		}
		hidden[i] = true
		if opens(after).end != "" { // the rest of the line opens the next one
			lines[i] = after
			i--
		}
	}
}

// opens returns the first thing that a line opens and that hides. Its zero value is none.
func opens(line string) opening {
	lower := strings.ToLower(line)
	var first opening
	try := func(sign, end string, at int) {
		if at >= 0 && (first.end == "" || at < first.at) {
			first = opening{at: at, sign: sign, end: end}
		}
	}
	try("<!--", "-->", strings.Index(lower, "<!--"))
	try("<![cdata[", "]]>", strings.Index(lower, "<![cdata["))
	try("<?", "?>", strings.Index(lower, "<?"))
	for _, name := range strings.Fields(elements) {
		try("<"+name, "</"+name, tag(lower, "<"+name))
	}
	return first
}

// tag returns where a line has the start of a tag, as opposed to the start of a longer word, or -1.
func tag(line, sign string) int {
	for from := 0; ; {
		i := strings.Index(line[from:], sign)
		if i < 0 {
			return -1
		}
		from += i + len(sign)
		if from == len(line) || strings.Trim(line[from:from+1], lowerAlnum+"-") != "" {
			return from - len(sign)
		}
	}
}

// lastLine returns the line that closes what line i opens, or the last one, and what follows the end on that line. A
// comment ends where the forge ends it. An element ends on its own line or else at its very last end: elements nest.
func lastLine(lines []string, i int, open opening) (int, string) {
	text := strings.ToLower(lines[i])[open.at:]
	if !strings.HasPrefix(open.end, "</") {
		for j := i; j < len(lines); j++ {
			if j > i {
				text = lines[j]
			}
			if _, after, ok := strings.Cut(text, open.end); ok {
				return j, after
			}
		}
		return len(lines) - 1, ""
	}
	if strings.Count(text, open.sign) == strings.Count(text, open.end) && !strings.Contains(text, "<!") {
		return i, ""
	}
	for j := len(lines) - 1; j > i; j-- {
		if strings.Contains(strings.ToLower(lines[j]), open.end) {
			return j, ""
		}
	}
	return len(lines) - 1, ""
}

// hideOpenEnds empties the rest of a paragraph after a line that leaves a tag, a link or the definition of a link open:
// what follows may be an attribute or a title, which nobody sees.
func hideOpenEnds(lines []string) {
	open := false
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			open = false
			continue
		}
		if open {
			lines[i] = "."
			continue
		}
		open = strings.Contains(line, "]:") || strings.LastIndex(line, "<") > strings.LastIndex(line, ">") ||
			strings.LastIndex(line, "](") > strings.LastIndex(line, ")")
	}
}
