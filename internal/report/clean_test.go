package report_test

import (
	"strings"
	"testing"
	"unicode"

	"charm.land/lipgloss/v2"
	"pgregory.net/rapid"

	"github.com/penstock-dev/penstock/internal/report"
)

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain text stays", `pod "podinfo-1": not ready`, `pod "podinfo-1": not ready`},
		{"letters of any script stay", "決済 naïve é", "決済 naïve é"},
		{"line breaks and runs of blanks become one blank", " a\r\n\tb \u2028 c\n", "a b c"},
		{"escape sequences become visible", "\x1b[31mred\x07", `\x1b[31mred\x07`},
		{"8-bit control characters become visible", "\u009b2J\x7f", `\u009b2J\x7f`},
		{"direction overrides become visible", "a\u202eb\u2066c", `a\u202eb\u2066c`},
		{"invisible characters become visible", "a\u200bb\u00adc\ufeffd\u3164e\u2800f", `a\u200bb\u00adc\ufeffd\u3164e\u2800f`},
		{"tag characters become visible", "x\U000e0041", `x\U000e0041`},
		{"bytes that are not UTF-8 become visible", "a\xffb", `a\xffb`},
		{"letters keep two marks and no more", "e\u0301\u0301\u0301", "e\u0301\u0301\\u0301"},
		{"a mark without a letter does not join what stands before", "\u0301x", `\u0301x`},
		{"a workflow command is taken apart", "  ::error::x", ": error::x"},
		{"one behind a line break is not at the start any more", "x\n::error::y", "x ::error::y"},
		{"an old workflow command is taken apart anywhere", "x ##[group]y", "x # [group]y"},
		{"nothing stays nothing", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := report.Clean(test.text); got != test.want {
				t.Errorf("Clean(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func TestCleanTextIsOneHarmlessLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.StringMatching(`[ \n]{0,3}(::|##\[)?[a-z:\[\]#]{0,9}`)).Draw(t, "text")
		got := report.Clean(text)
		for _, r := range got {
			if r != ' ' && !unicode.IsGraphic(r) {
				t.Fatalf("Clean(%q) = %q has %U", text, got, r)
			}
		}
		if strings.HasPrefix(got, "::") || strings.Contains(got, "##[") || got != strings.TrimSpace(got) {
			t.Fatalf("Clean(%q) = %q", text, got)
		}
		if again := report.Clean(got); again != got {
			t.Fatalf("Clean(%q) = %q, and cleaned again %q", text, got, again)
		}
	})
}

// harmless checks what every text must keep to, whatever the snapshot holds.
func harmless(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if w := lipgloss.Width(line); w > width {
			t.Errorf("%d columns wide, %d allowed: %q", w, width, line)
		}
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			t.Errorf("a CI runner would obey %q", line)
		}
		if strings.HasSuffix(line, " ") {
			t.Errorf("blanks at the end of %q", line)
		}
		for _, r := range line {
			if r == '\x1b' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				t.Errorf("%U in %q", r, line)
			}
		}
	}
}

func TestNoFrameIsWiderThanItsTerminal(t *testing.T) {
	t.Parallel()
	for name, s := range snapshots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rehearsed(s)
			for width := 40; width <= 200; width += 1 + width/80 {
				look := report.Look{Width: width, ASCII: width%5 == 0}
				harmless(t, look.Live(s), width)
				harmless(t, look.Table(r), width)
				harmless(t, look.Closing(r), width)
			}
		})
	}
}

func TestColourChangesNoText(t *testing.T) {
	t.Parallel()
	for name, s := range snapshots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rehearsed(s)
			for _, width := range []int{40, 57, 80, 133} {
				plain, colour := report.Look{Width: width}, report.Look{Width: width, Colour: true}
				pairs := [][2]string{
					{plain.Live(s), colour.Live(s)}, {plain.Table(r), colour.Table(r)}, {plain.Closing(r), colour.Closing(r)},
				}
				for _, p := range pairs {
					if got := uncoloured(p[1]); got != p[0] {
						t.Errorf("at %d columns:\n%s\nin colour, with the colours taken away:\n%s", width, p[0], got)
					}
				}
			}
		})
	}
}

func TestASCIILooksAreASCII(t *testing.T) {
	t.Parallel()
	for name, s := range snapshots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			look, r := report.Look{ASCII: true}, rehearsed(s)
			for _, text := range []string{look.Live(s), look.Table(r), look.Closing(r), report.Line(report.Snapshot{}, s)} {
				if i := strings.IndexFunc(text, func(r rune) bool { return r > 0x7e || r < 0x20 && r != '\n' }); i >= 0 {
					t.Errorf("not ASCII at %d: %q", i, text)
				}
			}
		})
	}
}

func TestAFrameFitsTheHeight(t *testing.T) {
	t.Parallel()
	s := failingForLooks()
	for height := 13; height < 40; height++ {
		text := report.Look{Width: 80, Height: height}.Live(s)
		if rows := strings.Count(text, "\n"); rows >= height {
			t.Errorf("%d rows on a terminal of %d:\n%s", rows, height, text)
		}
		if !strings.Contains(text, "and ") != strings.Contains(text, "orders") {
			t.Errorf("at %d rows checks are missing without a word:\n%s", height, text)
		}
		if height >= 15 && !strings.Contains(text, "request-success-rate") {
			t.Errorf("at %d rows the check that failed is hidden:\n%s", height, text)
		}
	}
}
