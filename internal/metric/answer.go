package metric

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Outcome says what kind of answer a provider gave.
type Outcome int8

// The zero value is an answer that could not be read. Only Number can become a pass.
const (
	Unreadable Outcome = iota // unreachable, refused, garbage, or not one number
	Number                    // one finite number
	NoData                    // no series, or nothing but NaN
	Several                   // more than one series
	Row                       // finite numbers over time, at least one
)

// Answer is what a provider said of one query.
type Answer struct {
	Outcome Outcome
	Value   float64   // when Outcome is Number
	Row     []float64 // when Outcome is Row; what was NaN is left out
	Raw     string    // what came back, capped and printable
	Message string    // when Outcome is not Number: what is wrong, as one line
	Lasting bool      // the query itself is wrong: asking again will not help

	// After is how long the server wants to be left alone before it is asked again; 0 when it does not say.
	After time.Duration
}

// maxRaw is how many bytes of a foreign answer are shown.
const maxRaw = 512

// Shown returns the first 512 bytes of a foreign body, safe to print: one line, no control characters, valid UTF-8.
func Shown(body []byte) string {
	cut := len(body) > maxRaw
	if cut {
		body = body[:maxRaw]
		for range utf8.UTFMax - 1 { // a rune whose end was cut off
			if r, size := utf8.DecodeLastRune(body); r != utf8.RuneError || size != 1 {
				break
			}
			body = body[:len(body)-1]
		}
	}
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return '.'
		}
		return r
	}, strings.TrimSpace(string(body)))
	if cut {
		text += "…"
	}
	return text
}
