package report

import (
	"bytes"
	"cmp"
	_ "embed" // for the templates
	"fmt"
	"html/template"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

//go:embed report.html.tmpl
var pageTemplate string

// What the report and the board of a server share.
var (
	//go:embed parts.html.tmpl
	pageParts string
	//go:embed base.css
	pageStyle string
)

// parsePage parses the template of a page, which may use the parts and the style that all pages share.
func parsePage(name, text string) (*template.Template, error) {
	t := template.New(name)
	for _, part := range []struct{ name, text string }{{"base.css", pageStyle}, {"parts", pageParts}} {
		if _, err := t.New(part.name).Parse(part.text); err != nil {
			return nil, err
		}
	}
	return t.Parse(text)
}

// The most that one text from outside may take on the page, in bytes, and the most values of a check that are drawn.
const (
	maxPageText  = 16_000
	maxPageBlock = 64_000
	maxSamples   = 500

	cellName, cellValue = 200, 40 // characters; one odd unit must not push the verdicts out of sight
)

// webPage is what the template shows.
type webPage struct {
	Title, Heading, Verdict, Class, Symbol string
	Why                                    []string
	Facts                                  []fact
	Checks                                 []webCheck
	Steps                                  []webStep
	Loads                                  []webLoad
	LoadsBefore                            int // loads that are not shown, before those that are
	Evidence                               []webEvidence
	Next                                   string
	Charts                                 []*chart
	Notes                                  []string
}

type fact struct{ Name, Text string }

type webCheck struct{ Name, Value, Threshold, Verdict, Class, Spark string }

type webStep struct {
	Number        int
	Mark          string
	Class         string
	Weight        string
	Time          string
	Failed        int
	Went          bool
	Checks        []webCheck
	Requests, Err string
}

type webEvidence struct{ Name, Because, Query, Raw string }

// HTML returns the report as one file that needs nothing else: no network, no scripts. s is the last snapshot of the run
// that r tells of; its history is what the charts draw. Text from outside is escaped.
func HTML(r Result, s Snapshot) ([]byte, error) {
	t, err := parsePage("report", pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse the template of the report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, newWebPage(&r, &s)); err != nil {
		return nil, fmt.Errorf("write the report as HTML: %w", err)
	}
	return b.Bytes(), nil
}

func newWebPage(r *Result, s *Snapshot) webPage {
	outcome := rollout.Outcome(r.Outcome)
	word := outcomeWords(outcome)
	if outcome == rollout.Running {
		word = "unfinished" // the file is written when the run has ended
	}
	w := webPage{
		Title: "Penstock: " + name(r.Namespace, r.Canary) + " " + word, Heading: clip(name(r.Namespace, r.Canary), maxPageText),
		Verdict: word, Class: outcomeClass(outcome), Why: []string{clip(Sentence(*r), maxPageText)},
	}
	w.Symbol, _ = Look{}.verdict(outcome)
	w.Facts = facts(r, s)
	w.Checks = webChecks(s)
	w.Steps = webSteps(r, s)
	w.Loads, w.LoadsBefore = webLoads(r)
	w.Charts = charts(s, r)
	if w.Class == "fail" || outcome == rollout.Running && len(r.culprits()) > 0 {
		w.prove(r, s)
	}
	w.Notes = webNotes(r)
	return w
}

// prove adds what a person needs after a failure.
func (w *webPage) prove(r *Result, s *Snapshot) {
	for _, c := range r.culprits() {
		w.Evidence = append(w.Evidence, webEvidence{
			Name: Clean(c.Name), Because: clip(because(&c), maxPageText), Query: cleanLines(queries(&c)), Raw: cleanLines(c.Raw),
		})
	}
	for _, of := range []*rollout.Workload{&s.Primary, &s.Target} {
		if of.Message != "" && !of.Ready {
			w.Why = append(w.Why, clip(Clean(of.Message), maxPageText))
		}
	}
	w.Next = next(r)
}

// outcomeClass colours the verdict; the word beside it says the same.
func outcomeClass(o rollout.Outcome) string {
	switch o {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Uninstalled:
		return "pass"
	case rollout.RolledBack, rollout.Halted:
		return "fail"
	case rollout.Running, rollout.Suspended, rollout.Superseded, rollout.Cancelled, rollout.Gated:
	}
	return "wait"
}

// cleanLines is Clean for text of several lines.
func cleanLines(text string) string {
	lines := strings.Split(clip(strings.ReplaceAll(text, "\r\n", "\n"), maxPageBlock), "\n")
	for i, line := range lines {
		rest := strings.TrimLeft(line, " \t")
		lines[i] = strings.Repeat(" ", min(len(line)-len(rest), 16)) + Clean(rest)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func facts(r *Result, s *Snapshot) []fact {
	var out []fact
	add := func(name, text string) {
		if text = strings.TrimSpace(text); text != "" {
			out = append(out, fact{name, clip(text, maxPageText)})
		}
	}
	add("Image", Clean(cmp.Or(r.Image, s.Image)))
	if s.OldImage != r.Image {
		add("Replaces", Clean(s.OldImage))
	}
	add("Revision", Clean(r.Revision))
	add("Router", Clean(r.Provider))
	add("Canary's share at the end", percent(r.Weight))
	if r.Threshold > 0 {
		add("Failed checks", fmt.Sprintf("%d, rolled back at %d", r.FailedChecks, r.Threshold))
	}
	if !r.Started.IsZero() {
		add("Started", r.Started.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	if !r.Finished.IsZero() {
		add("Finished", r.Finished.UTC().Format("2006-01-02 15:04:05 MST")+strings.Replace(r.took(), " in ", ", after ", 1))
	}
	add("Reason", Clean(string(r.Reason)))
	add("Autoscaler of the primary", Clean(r.PrimaryScaler))
	add("Autoscaler of the canary", Clean(r.CanaryScaler))
	return out
}

func webCheckOf(c *rollout.CheckResult, values []*float64) webCheck {
	return webCheck{
		Name: short(Clean(c.Name), cellName), Value: short(valueText(c), cellValue), Threshold: short((Look{}).thresholdText(c), cellValue),
		Verdict: verdictWord(c.Verdict), Class: verdictClass(c.Verdict), Spark: spark(values, c),
	}
}

func webChecks(s *Snapshot) []webCheck {
	const values = 40
	var out []webCheck
	for _, c := range s.judged() {
		out = append(out, webCheckOf(&c, s.values(c.Name, values)))
	}
	return out
}
