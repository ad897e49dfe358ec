package approval

import (
	"errors"
	"strings"
	"testing"
)

const sampleTarget = "7q2kzm-2-mfrggzdf"

func TestParseReadsAClearCommand(t *testing.T) {
	t.Parallel()
	target := Target{Rollout: "7q2kzm", Gate: 2, Nonce: "mfrggzdf"}
	for name, tc := range map[string]struct {
		body string
		want Command
	}{
		"no command at all":                       {"Looks good to me", Command{}},
		"an empty comment":                        {"", Command{}},
		"an approval":                             {"/canary approve " + sampleTarget, Command{Verb: Approve, Target: target}},
		"an approval among other lines":           {"Nice.\r\n\r\n/canary approve " + sampleTarget + "  \r\nThanks", Command{Verb: Approve, Target: target}},
		"a phone's capitals":                      {"/Canary Approve " + strings.ToUpper(sampleTarget), Command{Verb: Approve, Target: target}},
		"an approval with a reason":               {`/canary approve ` + sampleTarget + ` reason="looks fine"`, Command{Verb: Approve, Target: target, Reason: "looks fine"}},
		"an approval without a target":            {"/canary approve", Command{Verb: Approve}},
		"a brake without anything":                {"/canary abort", Command{Verb: Abort}},
		"a brake with a target":                   {"/canary reject " + sampleTarget, Command{Verb: Reject, Target: target}},
		"a brake with whatever follows as reason": {"/canary abort prod-is down, now!", Command{Verb: Abort, Reason: "prod-is down, now!"}},
		"a command that only reads":               {"/canary status", Command{Verb: Status}},
		"a question about one rollout":            {"/canary status " + sampleTarget, Command{Verb: Status, Target: target}},
		"a change among questions":                {"/canary status\n/canary pause\n/canary help", Command{Verb: Pause}},
		"a longer word is another word":           {"/canary-bird approve", Command{}},
		"a word within a sentence":                {"please /canary approve " + sampleTarget, Command{}},
		"an indented line is not a whole line":    {" /canary abort", Command{}},
		"the short form when nobody asked for it": {"/approve", Command{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tc.body, "")
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func TestParseRefusesWhatIsNotClear(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		code ProblemCode
		says string
	}{
		"the prefix alone":                       {"/canary", NoVerb, "approve, reject"},
		"a near miss is suggested, not guessed":  {"/canary aprove " + sampleTarget, UnknownVerb, `did you mean "approve"?`},
		"a stranger is not echoed":               {"/canary <img/src=x>", UnknownVerb, "what is there is not a verb"},
		"a target of another shape":              {"/canary approve 7q2kzm-02-mfrggzdf", BadTarget, "looks like"},
		"a word too many":                        {"/canary approve " + sampleTarget + " please", BadArgument, `does not take "please"`},
		"two changes in one comment":             {"/canary pause\n/canary abort", ManyVerbs, "only one"},
		"the same change twice":                  {"/canary approve " + sampleTarget + "\n/canary approve " + sampleTarget, ManyVerbs, "only one"},
		"a Cyrillic letter in the prefix":        {"/c\u0430nary approve " + sampleTarget, NotASCII, "plain ASCII"},
		"a Cyrillic letter in the verb":          {"/canary \u0430pprove " + sampleTarget, NotASCII, "plain ASCII"},
		"a full-width slash":                     {"\uff0fcanary approve " + sampleTarget, NotASCII, "plain ASCII"},
		"a zero-width space before the prefix":   {"\u200b/canary approve " + sampleTarget, NotASCII, "plain ASCII"},
		"a zero-width joiner in the verb":        {"/canary app\u200drove " + sampleTarget, NotASCII, "plain ASCII"},
		"a zero-width space in the target":       {"/canary approve " + sampleTarget + "\u200b", NotASCII, "plain ASCII"},
		"a direction override":                   {"/canary \u202eevorppa", NotASCII, "plain ASCII"},
		"a no-break space":                       {"/canary\u00a0approve " + sampleTarget, NotASCII, "plain ASCII"},
		"a control character":                    {"/canary approve\x00 " + sampleTarget, NotASCII, "plain ASCII"},
		"bytes that are no text":                 {"/canary approve \xff\xfe", NotASCII, "plain ASCII"},
		"a line glued to the quote above it":     {"> what do you think?\n/canary approve " + sampleTarget, InQuote, "empty line"},
		"a line glued to a quote within a list":  {"- > what do you think?\nwell\n/canary abort", InQuote, "empty line"},
		"a good command next to an unclear one":  {"/canary pause\n/canary abrot", UnknownVerb, "abort"},
		"a comment with thousand commands in it": {strings.Repeat("/canary abort\n", 1000), ManyVerbs, "only one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tc.body, "")
			var problem *Problem
			if !errors.As(err, &problem) || problem.Code != tc.code || !strings.Contains(problem.Message, tc.says) {
				t.Errorf("got %v; want %s with %q", err, tc.code, tc.says)
			}
			if got != (Command{}) {
				t.Errorf("a command besides the problem: %+v", got)
			}
		})
	}
}

func TestParseIgnoresWhatReadersDoNotSeeAsACommand(t *testing.T) {
	t.Parallel()
	line := "/canary approve " + sampleTarget
	for name, body := range map[string]string{
		"in a quote":                                            "> " + line,
		"in a quote of a quote":                                 ">> " + line,
		"in a fence":                                            "```\n" + line + "\n```",
		"in a fence of tildes":                                  "~~~ sh\n" + line + "\n~~~",
		"in a fence that nobody closes":                         "```\n" + line,
		"in a long fence with a short one inside":               "````\n```\n" + line + "\n````",
		"in a fence closed by the other kind":                   "```\n~~~\n" + line,
		"in a fence that a comment seems to open":               "text <!-- x\n```\n-->\n" + line + "\n<!--\n```",
		"in an indented fence":                                  "   ```\n" + line + "\n   ```",
		"in an HTML comment":                                    "<!--\n" + line + "\n-->",
		"in an HTML comment that nobody closes":                 "<!-- x\n\n" + line,
		"in the second comment of a line":                       "<!-- a --> <!-- b\n" + line + "\n-->",
		"in a comment after a stray end":                        "--> <!--\n" + line + "\n-->",
		"in a comment after a stray sign":                       "1 < 2 --> <!--\n" + line,
		"in preformatted text":                                  "<pre>\n" + line + "\n</pre>",
		"in preformatted text after a sham end":                 "<pre> <!-- </pre> -->\n" + line + "\n</pre>",
		"in nested quotes of HTML":                              "<blockquote><blockquote>\n</blockquote>\n\n" + line + "\n\n</blockquote>",
		"in folded details":                                     "<details><summary>x</summary>\n\n" + line + "\n</details>",
		"in inline code":                                        "`" + line + "`",
		"in inline code of two backticks":                       "``" + line + "``",
		"in inline code over lines":                             "see `\n" + line + "\n` above",
		"in inline code after an escaped backtick":              "see \\` and `\n" + line + "\n`",
		"in inline code with other runs inside":                 "``\n`\n" + line + "\n``",
		"in the title of a link":                                "[x](/u \"\n" + line + "\n\")",
		"in the title of a link's definition":                   "[x]: /u '\n" + line + "\n'",
		"in an attribute":                                       "<a title=\"\n" + line + "\n\">",
		"behind the first 4 KiB":                                strings.Repeat("x", 4095) + "\n" + line,
		"cut through by the limit":                              strings.Repeat("x\n", 2040) + "/canary abort and " + strings.Repeat("y", 40),
		"after a character that only looks like an end of line": "x\u2028" + line,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := Parse(body, ""); err != nil || got != (Command{}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestParseReadsOnAfterWhatIsHidden(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"a quote":                   "> quoted\n\n",
		"a fence":                   "```\ncode\n```\n",
		"a fence with a comment":    "```\n<!--\n```\n",
		"an HTML comment":           "<!-- x -->\n",
		"an HTML comment of lines":  "<!--\nx\n-->\n",
		"inline code":               "`a` and `b`\n",
		"a lonely backtick":         "it`s fine\n",
		"an element on one line":    "<code>x</code>\n",
		"preformatted text":         "<pre>\nx\n</pre>\n",
		"exactly what fits in 4KiB": strings.Repeat("x", 4096-1-len("/canary abort")) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := Parse(before+"/canary abort", ""); err != nil || got.Verb != Abort {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTheShortFormIsReadOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	g := Grammar{BareApprove: true}
	for _, body := range []string{"/approve", "/Approve  "} {
		if got, err := g.Parse(body); err != nil || got != (Command{Verb: Approve, Bare: true}) {
			t.Errorf("%q: got %+v, %v", body, got, err)
		}
	}
	for _, body := range []string{"/approve now", "> /approve", "`/approve`", "/approved"} {
		if got, err := g.Parse(body); err != nil || got.Verb != "" {
			t.Errorf("%q: got %+v, %v", body, got, err)
		}
	}
	var problem *Problem
	if _, err := g.Parse("/\u0430pprove"); !errors.As(err, &problem) || problem.Code != NotASCII {
		t.Errorf("homoglyph: %v", err)
	}
}

func TestThePrefixIsAWordOfItsOwn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "/canary", "/ship": "/ship", "ship-it": "/ship-it"} {
		if got, err := ParsePrefix(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"/", "//x", "/a b", "/Ship", "/approve", "/-x", "/" + strings.Repeat("x", 33), "/ca\u0301"} {
		if _, err := ParsePrefix(text); err == nil {
			t.Errorf("%q is taken", text)
		}
		if _, err := Parse("/canary abort", text); err == nil {
			t.Errorf("%q parses", text)
		}
	}
	if got, err := Parse("/ship abort\n/canary help", "/ship"); err != nil || got.Verb != Abort {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHelpHasEveryVerbThatTheParserReads(t *testing.T) {
	t.Parallel()
	help := RenderHelp("/ship")
	for _, info := range Verbs() {
		if !strings.Contains(help, "`/ship "+string(info.Verb)) || !strings.Contains(help, info.Does) {
			t.Errorf("help lacks %s:\n%s", info.Verb, help)
		}
		if got, err := Parse("/ship "+string(info.Verb), "/ship"); err != nil || got.Verb != info.Verb {
			t.Errorf("%s: got %+v, %v", info.Verb, got, err)
		}
	}
	if got, err := Parse(help, "/ship"); err != nil || got.Verb != "" {
		t.Errorf("the help is a command itself: %+v, %v", got, err)
	}
	if strings.Contains(RenderHelp("`<x>"), "<x>") {
		t.Error("an invalid prefix is shown")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"/canary approve " + sampleTarget, "```\n/canary abort", "<!--\n/canary abort\n-->", "> x\n/canary abort",
		"`\n/canary abort\n`", "/c\u0430nary approve", "/canary approve x", "<pre>\n/canary abort", "[x]: y\n/canary abort", "\\`\r\r\n/canary pause"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := Grammar{BareApprove: true}.Parse(body)
		var problem *Problem
		if err != nil && !errors.As(err, &problem) {
			t.Fatalf("another error: %v", err)
		}
		if err != nil && (got != Command{} || !isASCII(strings.ReplaceAll(problem.Message, "…", "")) || strings.ContainsAny(problem.Message, "<`\n")) {
			t.Fatalf("%+v with %q", got, problem.Message)
		}
		if got.Verb == "" {
			return
		}
		if _, ok := VerbFor(got.Verb); !ok || !isASCII(got.Reason) {
			t.Fatalf("%+v", got)
		}
		if !strings.Contains(strings.ToLower("\n"+strings.ReplaceAll(body, "\r", "\n")), "\n/") {
			t.Fatalf("%q has no line that starts with a slash", body)
		}
		if quoted, err := Parse("> "+strings.ReplaceAll(strings.ReplaceAll(body, "\r", "\n"), "\n", "\n> "), ""); err != nil || quoted.Verb != "" {
			t.Fatalf("quoted, it is %+v, %v", quoted, err)
		}
		if fence, err := Parse("``````````\n"+body, ""); !strings.Contains(body, "``````````") && (err != nil || fence.Verb != "") {
			t.Fatalf("fenced, it is %+v, %v", fence, err)
		}
	})
}
