package report

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// firstLine is how many bytes of a reason are told first; the evidence has all of it.
const firstLine = 600

// why says in one sentence what goes on or how it ended. After a failure the evidence follows at once.
func (p *page) why() []string {
	if p.s.Outcome != rollout.Running && !p.failed() {
		return []string{"**" + p.outcomeTitle() + "** " + prose(clip(afterTitle(Sentence(p.r)), p.text))}
	}
	if e := p.o.Ended; e != nil {
		why := p.alert("**Why:** " + prose(clip(strings.TrimRight(Clean(e.Why), "."), min(p.text, firstLine))))
		return append([]string{why, "**What to do:** " + prose(e.Next)}, p.evidence()...)
	}
	if !p.failed() {
		line := "**Now:** " + prose(clip(Clean(p.nowText()), min(p.text, firstLine)))
		if due := p.s.due(); due != "" {
			line += " · " + due
		}
		if n := p.s.Status.Failed; n > 0 {
			line += fmt.Sprintf(" · %d of %d failed checks", n, p.s.Spec.Threshold)
		}
		return append([]string{line}, p.evidence()...)
	}
	blocks := []string{p.alert("**Why:** " + prose(clip(strings.TrimRight(p.r.why(), "."), min(p.text, firstLine))) + p.r.failed())}
	blocks = append(blocks, p.evidence()...)
	blocks = append(blocks, p.brokenPods()...)
	return append(blocks, "**What to do:** "+prose(clip(next(&p.r), max(p.text, 400))))
}

func (p *page) outcomeTitle() string {
	title, _, found := strings.Cut(Sentence(p.r), ":")
	if !found || strings.ContainsAny(title, " ") {
		return "Ended:"
	}
	return title + ":"
}

// afterTitle is a sentence without the word that outcomeTitle has shown already.
func afterTitle(sentence string) string {
	title, rest, found := strings.Cut(sentence, ": ")
	if !found || strings.ContainsAny(title, " ") {
		return sentence
	}
	return rest
}

// nowText is the reason; where the reason is a check, the check's own words.
func (p *page) nowText() string {
	f := frame{s: p.s}
	if text := f.now(); text != "" {
		return text
	}
	return "nothing yet"
}

// alert sets a paragraph apart as the platform can.
func (p *page) alert(text string) string {
	if p.o.Platform == PlatformGitLab {
		return "> " + text
	}
	return "> [!CAUTION]\n> " + text
}

// evidence is, for each check that did not pass, what it measured, asked and was answered.
func (p *page) evidence() []string {
	var blocks []string
	hidden := 0
	for _, c := range p.culprits() {
		if len(blocks) >= 3*p.checks {
			hidden++
			continue
		}
		blocks = append(blocks, "**"+code(clip(Clean(c.Name), p.text))+"** "+p.measured(&c))
		if c.Query != "" && p.block > 0 {
			blocks = append(blocks, "Query:\n\n"+fence(queries(&c), p.block))
		}
		if c.Raw != "" && p.block > 0 {
			blocks = append(blocks, "Answer:\n\n"+fence(c.Raw, p.block))
		}
	}
	if hidden > 0 && p.checks > 0 {
		blocks = append(blocks, fmt.Sprintf("…and %d more checks that did not pass.", hidden))
	}
	return blocks
}

// measured says value, bounds and verdict of a check, and its own words when they say more.
func (p *page) measured(c *rollout.CheckResult) string {
	text := verdictWord(c.Verdict)
	if c.Value != nil {
		text += ": " + prose(valueText(c))
	}
	text += prose(wanted(c))
	if c.Message != "" {
		text += " — " + prose(clip(Clean(c.Message), p.text))
	}
	return text
}

// culprits are what the page proves: after the end the checks of the last step, before it those that failed just now.
func (p *page) culprits() []rollout.CheckResult {
	code := p.s.Status.Reason.Code
	checkMatters := code == rollout.CheckFailed || code == rollout.ChecksUnknown || code == rollout.ProbeFailed || code == rollout.NoDataYet
	var out []rollout.CheckResult
	if checkMatters {
		for i := range p.s.Checks {
			if v := p.s.Checks[i].Verdict; v != rollout.Pass && v != rollout.Unknown {
				out = append(out, p.s.Checks[i])
			}
		}
	}
	if len(out) == 0 && p.failed() {
		out = p.r.culprits()
	}
	return out
}

// brokenPods quotes what the cluster says of pods that are not well.
func (p *page) brokenPods() []string {
	var blocks []string
	for _, of := range []struct {
		what string
		w    *rollout.Workload
	}{{"primary", &p.s.Primary}, {"canary", &p.s.Target}} {
		message := Clean(of.w.Message)
		if message == "" || of.w.Ready && !of.w.Broken || len(message) < firstLine/2 && strings.Contains(Clean(p.s.Reason), message) {
			continue
		}
		blocks = append(blocks, "**Pods of the "+of.what+":** "+prose(clip(message, p.text)))
	}
	return blocks
}

// about says what is rolled out through which router, and where the job is.
func (p *page) about() string {
	var parts []string
	before, after := code(clip(Clean(p.s.OldImage), p.text)), code(clip(Clean(p.s.Image), p.text))
	switch {
	case after != "" && before != "" && before != after:
		parts = append(parts, before+" → "+after)
	case after != "":
		parts = append(parts, after)
	}
	if p.s.Provider != "" {
		parts = append(parts, "router "+code(clip(Clean(p.s.Provider), p.text)))
	}
	if to := link(p.o.RunURL); to != "" {
		parts = append(parts, "[run](<"+to+">)")
	}
	return strings.Join(parts, " · ")
}

// link returns an address that can stand between angle brackets, or nothing when it is not one of the web.
func link(address string) string {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return ""
	}
	text := u.String()
	if strings.ContainsAny(text, "<>\\\n\r\t `|") {
		return ""
	}
	return text
}
