package notify

import (
	"html"
	"strings"
	"testing"
	"unicode/utf8"
)

var family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

func TestCleanedTextShowsWhatItIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a \t b\r\nc":                 "a b c",
		"a\x00b\x1b[31mc":             "a�b�[31mc",
		"exe\u202egnp":                "exe�gnp",
		"\xffa":                       "�a",
		"e\u0301 Z\u0300\u0301\u0302": "e\u0301 Z\u0300\u0301",
		family + " ⚠\ufe0f":           family + " ⚠\ufe0f",
		"a\u200bb\ufeffc\u00add":      "a�b�c�d",
		"  ":                          "",
		"a\u2028b\u0085c":             "a b c",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", text, got, want)
		}
	}
	if got, want := manyLines("\n a\r\n\r\n\r\n\r\nb \n\tc\n\n"), "a\n\nb\n c"; got != want {
		t.Errorf("manyLines = %q, want %q", got, want)
	}
}

func TestTextIsCutBetweenWholeCharactersAndEscapes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text, want string
		escape           escape
		limit            int
	}{
		{"fits exactly", "abcd", "abcd", plain, 4},
		{"one too many", "abcde", "abc…", plain, 4},
		{"no blank before the ellipsis", "ab cde", "ab…", plain, 4},
		{"an escape fits whole", "a&b", "a&amp;b", markup, 7},
		{"an escape is left out whole", "a&bc", "a…", markup, 6},
		{"a backslash stays with its character", "ab*cd", "ab…", discordEscape, 4},
		{"a pair of UTF-16 units", "ab😀c", "ab…", plain, 4},
		{"a letter with its mark", "abe\u0301cd", "ab…", plain, 4},
		{"a family", "a" + family + "bc", "a…", plain, 9},
		{"a whole family", "a" + family + "bcd", "a" + family + "…", plain, 10},
		{"a skin tone", "a👍🏽bc", "a…", plain, 5},
		{"room for nothing else", "ab", "…", plain, 1},
		{"no room", "ab", "", plain, 0},
	} {
		if got := test.escape.line(test.text, test.limit); got != test.want {
			t.Errorf("%s: %q within %d = %q, want %q", test.name, test.text, test.limit, got, test.want)
		}
	}
}

func TestNoCutExceedsItsLimitOrLeavesHalfAnEscape(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(`a<b>&amp; \*x* @all [l](u) {{"q"}} 😀é`+family+"\n> z ", 3)
	for limit := range 300 {
		for name, e := range map[string]escape{"markup": markup, "broken": broken, "discord": discordEscape, "rocket": rocketEscape, "teams": adaptiveEscape, "gchat": gchatPlain} {
			got := e.block(text, limit)
			if units(got) > limit || !utf8.ValidString(got) {
				t.Fatalf("%s within %d: %q has %d", name, limit, got, units(got))
			}
		}
		kept := strings.TrimSuffix(html.UnescapeString(markup.block(text, limit)), ellipsis)
		if !strings.HasPrefix(manyLines(text), kept) {
			t.Fatalf("within %d: %q is not how the text begins", limit, kept)
		}
		if cut := strings.TrimSuffix(discordEscape.block(text, limit), ellipsis); strings.HasSuffix(strings.ReplaceAll(cut, `\\`, ""), `\`) {
			t.Fatalf("within %d: %q ends in half an escape", limit, cut)
		}
	}
}

func TestOnlyPlainLinksAreWritten(t *testing.T) {
	t.Parallel()
	a := Alert{Links: []Link{
		{"", "https://ci.example.com/1"}, {"js", "javascript:alert(1)"}, {"data", "data:text/html,x"}, {"mail", "mailto:a@example.com"},
		{"password", "https://a:b@example.com"}, {"no host", "https:///x"}, {"broken", "https://a b/%zz"},
		{"long", "https://example.com/" + strings.Repeat("a", maxURL)}, {"odd", ` HTTP://example.com/é"<>|) ` + "`*"}, {"third", "https://example.com/3"},
	}}
	got := a.links(2)
	want := []Link{{"ci.example.com", "https://ci.example.com/1"}, {"odd", "http://example.com/%C3%A9%22%3C%3E%7C%29%20%60%2A"}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("links are %q, want %q", got, want)
	}
	line := row([]Link{{"a", "1"}, {"long", "12345678"}, {"b", "2"}}, 10, func(l Link) string { return l.Name + "=" + l.URL })
	if line != "a=1 · b=2" {
		t.Errorf("a row of whole links is %q", line)
	}
}
