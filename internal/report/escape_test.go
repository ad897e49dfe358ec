package report

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// outsideCode returns markdown without its code spans, as CommonMark finds them: a run of backticks goes on to the next
// run of the same length.
func outsideCode(t *testing.T, markdown string) (rest string, spans []string) {
	t.Helper()
	for {
		at := strings.IndexByte(markdown, '`')
		if at < 0 {
			return rest + markdown, spans
		}
		n := len(markdown[at:]) - len(strings.TrimLeft(markdown[at:], "`"))
		end, from := -1, at+n
		for i := from; i < len(markdown); {
			if markdown[i] != '`' {
				i++
				continue
			}
			run := len(markdown[i:]) - len(strings.TrimLeft(markdown[i:], "`"))
			if run == n {
				end = i
				break
			}
			i += run
		}
		if end < 0 {
			t.Fatalf("a code span has no end: %q", markdown)
		}
		rest, markdown = rest+markdown[:at], markdown[end+n:]
		spans = append(spans, "")
	}
}

var (
	active    = regexp.MustCompile("[@#<>&\\[\\]*_~!|\\\\$^{}+=\r\n\x00-\x1f\x7f]|://|(?i:www\\.)|%[A-Za-z]|:[a-z]+:|\\b[A-Za-z]+-[0-9]+\\b")
	invisible = regexp.MustCompile(`[\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}]`)
)

var hostileTexts = []string{
	"", "plain words, (99.5%) is fine.", "@all please", "a@b.example", "#12 !34 ~bug $5 &6 %milestone", "GH-12, SHOP-7:",
	"https://evil.example", "www.evil.example", "[x](javascript:alert(1))", "![x](https://evil.example/t.png)", "<img src=x onerror=alert(1)>",
	"`", "``", "a`b``c```d", "` @all `", "| a | b |", `\| \\| \`, "<!-- penstock:rollout 1/a/b -->", "-->", "&#64;all &commat;all",
	"\u200b@\u200ball", "\u202etxt", "::error::x", "##[error]x", "/approve", "- [ ] task", "> quote", "***", "a\n\n# heading", "\xff\xfe",
	"$$x$$", "$`x`$", "deadbeef1 0a1b2c3d4e", "[^1]", ":smile:", "<details>", "\x1b[31mred", "```\n</details>\n```", "{{x}}", "a\\`@all`",
}

func FuzzProse(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := prose(text)
		rest, _ := outsideCode(t, got)
		if found := active.FindString(rest); found != "" {
			t.Errorf("%q becomes %q, where %q could mean something", text, got, found)
		}
		if invisible.MatchString(got) || !utf8.ValidString(got) || strings.Contains(got, "<!--") || strings.Contains(got, "\n") {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func FuzzCode(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := code(text)
		rest, spans := outsideCode(t, got)
		if rest != "" || len(spans) > 1 || strings.Contains(got, "\n") || strings.Contains(got, "<!--") {
			t.Errorf("%q becomes %q, with %q outside of code", text, got, rest)
		}
	})
}

func FuzzCell(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, got := range []string{cell(prose(text)), cell(code(text))} {
			for i := range len(got) {
				if got[i] != '|' {
					continue
				}
				if before := got[:i]; !strings.HasSuffix(before, `\`) || strings.HasSuffix(before, `\\`) {
					t.Errorf("%q becomes %q: the bar at %d ends the cell", text, got, i)
				}
			}
		}
	})
}

func FuzzFence(f *testing.F) {
	for i, text := range hostileTexts {
		f.Add(text, 40*i)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 0), 10_000)
		got := fence(text, limit)
		lines := strings.Split(got, "\n")
		first, last := lines[0], lines[len(lines)-1]
		ticks := strings.TrimSuffix(first, "text")
		if strings.Trim(ticks, "`") != "" || ticks != last {
			t.Fatalf("%q becomes %q", text, got)
		}
		for _, line := range lines[1 : len(lines)-1] {
			if strings.HasPrefix(strings.TrimLeft(line, " "), ticks) || strings.HasPrefix(strings.TrimLeft(line, " "), "::") {
				t.Errorf("%q: the line %q ends the block, or is a command", text, line)
			}
		}
		if body := strings.Join(lines[1:len(lines)-1], "\n"); len(body) > limit+60 || !utf8.ValidString(got) || strings.Contains(got, "<!--") {
			t.Errorf("%q at %d becomes %q", text, limit, got)
		}
	})
}

func TestProseKeepsPlainWords(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"request-success-rate 94.2% is below 99% (5 failed checks).": "request-success-rate 94.2% is below 99% (5 failed checks).",
		`pod "podinfo-7d9f8c-x2x9z": ImagePullBackOff`:               `pod "podinfo-7d9f8c-x2x9z": ImagePullBackOff`,
		"ask @acme/sre now":                   "ask `@acme/sre` now",
		"決済エラー率 is 5%":                        "決済エラー率 is 5%",
		"see https://evil.example or @all":    "see `https://evil.example` or `@all`",
		"ask (GH-12),x or x(www.evil.example": "ask `(GH-12),x` or `x(www.evil.example`",
		"in 0a1b2c3d, or deadbeef":            "in `0a1b2c3d,` or `deadbeef`",
		"at 1772625790 or 99.123456%":         "at 1772625790 or 99.123456%",
		"@a @b":                               "`@a @b`",
		"a ` b":                               "a `` ` `` b",
	}
	for text, want := range tests {
		if got := prose(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
