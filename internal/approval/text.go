package approval

import (
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r != '\t' && (r < ' ' || r > '~') }) < 0
}

func startsWith(text, prefix string) bool {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return false
	}
	rest := text[len(prefix):]
	return rest == "" || strings.Trim(rest[:1], lowerAlnum+"-_/.") != ""
}

// shown returns a word for a sentence: as it is when it is harmless, cut when it is long, and not at all otherwise.
func shown(word string) string {
	const longest = 40
	if word == "" {
		return "nothing"
	}
	if strings.Trim(strings.ToLower(word), lowerAlnum+"-") != "" {
		return "what is there"
	}
	if len(word) > longest {
		return `"` + word[:longest] + `…"`
	}
	return `"` + word + `"`
}

// plainLogin returns a login for a sentence. Neither forge allows other characters in one.
func plainLogin(login string) string {
	cleaned := strings.Map(func(r rune) rune {
		if strings.ContainsRune(lowerAlnum+"-_.", unicode.ToLower(r)) && r < unicode.MaxASCII {
			return r
		}
		return -1
	}, login)
	if cleaned == "" {
		return "somebody"
	}
	return cleaned[:min(len(cleaned), 64)]
}

// suggestion returns the end of a sentence that suggests a verb, or "".
func suggestion(word string) string {
	const longest = 32
	if len(word) > longest {
		return ""
	}
	best, distance := "", min(3, max(1, len(word)/3))+1
	for _, info := range Verbs() {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), string(info.Verb)); d < distance {
			best, distance = string(info.Verb), d
		}
	}
	if best == "" {
		return ""
	}
	return `; did you mean "` + best + `"?`
}

// lookalikes are the letters of other scripts that pass for ASCII, by what they pass for.
const lookalikes = "aаαɑɒ bЬƄ cсϲⅽ dԁⅾ eеҽ℮ gɡց hһհ iіιıɩⅰ jјϳ kκк lӏⅼІǀ mⅿм nոп oоοօσ pрρ qԛ rг sѕꜱ tтτ uυս vνѵⅴ wԝѡ xхχⅹ yуүγ zᴢ /∕⁄⧸╱⟋〳"

// skeleton returns what a reader takes text for: without what cannot be seen, with the letters that others pass for.
// It only ever makes text suspicious, never a command.
func skeleton(text string) string {
	const enough = 256 // bytes: only the beginning of a line makes it a command
	var b strings.Builder
	for _, r := range text[:min(len(text), enough)] {
		switch {
		case r < unicode.MaxASCII:
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me, unicode.Cc, unicode.Co) || r == unicode.ReplacementChar || invisible(r):
		case r >= 0xFF01 && r <= 0xFF5E: // full width
			b.WriteRune(unicode.ToLower(r - 0xFF01 + '!'))
		default:
			b.WriteRune(passesFor(r))
		}
	}
	return strings.TrimLeft(b.String(), " \t\x00\x7f\v\f")
}

func invisible(r rune) bool {
	return r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || r == '\u2800' // blank letters
}

// passesFor returns the ASCII character that r looks like, or r.
func passesFor(r rune) rune {
	for _, group := range strings.Fields(lookalikes) {
		ascii, others := rune(group[0]), group[1:]
		if strings.ContainsRune(others, r) || strings.ContainsRune(others, unicode.ToLower(r)) {
			return ascii
		}
	}
	return r
}
