package rehearsal

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// sampleRegex makes up a short text that is, as a whole, what a regular expression describes. There is none for some
// expressions that ask for the edge of a word.
func sampleRegex(expression string) (string, bool) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return "", false
	}
	var text strings.Builder
	writeSample(&text, parsed.Simplify())
	pattern, err := regexp.Compile("^(?:" + expression + ")$")
	return text.String(), err == nil && pattern.MatchString(text.String())
}

// writeSample takes the first of all alternatives and as few repetitions as may be.
func writeSample(text *strings.Builder, e *syntax.Regexp) {
	switch e.Op {
	case syntax.OpLiteral:
		text.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		if len(e.Rune) > 0 {
			text.WriteRune(sampleRune(e.Rune))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		text.WriteRune('a')
	case syntax.OpCapture, syntax.OpPlus:
		writeSample(text, e.Sub[0])
	case syntax.OpAlternate:
		writeSample(text, e.Sub[0])
	case syntax.OpConcat:
		for _, part := range e.Sub {
			writeSample(text, part)
		}
	case syntax.OpNoMatch, syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpStar, syntax.OpQuest, syntax.OpRepeat:
		// Nothing is the shortest; repetitions of more than one were written out by Simplify.
	}
}

// sampleRune takes a letter or a digit of a class of characters, given as pairs of first and last, when it has one.
func sampleRune(pairs []rune) rune {
	for _, wanted := range "a0A" {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] <= wanted && wanted <= pairs[i+1] {
				return wanted
			}
		}
	}
	return pairs[0]
}
