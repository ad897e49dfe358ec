package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// The elements of a JUnit file, of which there is no standard: these are the ones that GitLab, Jenkins and the usual
// actions read.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	ClassName string      `xml:"classname,attr"`
	Name      string      `xml:"name,attr"`
	Time      string      `xml:"time,attr"`
	Failure   *junitCause `xml:"failure"`
	Error     *junitCause `xml:"error"`
	Skipped   *junitCause `xml:"skipped"`
	Output    string      `xml:"system-out,omitempty"`
}

type junitCause struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit returns the result as a JUnit file: the rollout as a whole is a test case, each step that was taken another, and
// each check and each load of a step one more. A failure is a verdict on the revision; an error is a question that had no answer;
// skipped is what was not brought to an end. Names stay the same from run to run, so that a forge can compare them.
func JUnit(r Result) ([]byte, error) {
	suite := junitSuite{Name: clip(name(r.Namespace, r.Canary), maxPageText), Time: junitTime(r.Finished.Sub(r.Started))}
	if r.Started.IsZero() {
		suite.Time = junitTime(0)
	} else {
		suite.Timestamp = r.Started.UTC().Format("2006-01-02T15:04:05")
	}
	whole := junitCase{ClassName: suite.Name, Name: "rollout", Time: suite.Time}
	whole.judgeRollout(&r)
	suite.Cases = append(suite.Cases, whole)
	names := caseNames{}
	suite.Cases = append(suite.Cases, loadCases(&r, 0, "before the first step", names)...)
	for i := range r.Steps {
		suite.Cases = append(suite.Cases, stepCases(&r, i, names)...)
	}
	suite.count()
	doc := junitSuites{
		Name: "penstock", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Skipped: suite.Skipped,
		Time: suite.Time, Suites: []junitSuite{suite},
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write result as JUnit: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for i := range s.Cases {
		switch c := &s.Cases[i]; {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
}

func junitTime(d time.Duration) string {
	return strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64)
}

// judgeRollout is the verdict on the revision, and on nothing else: a run that could not finish has none.
func (c *junitCase) judgeRollout(r *Result) {
	cause := &junitCause{Message: clip(Sentence(*r), maxPageText), Type: Clean(string(r.Reason))}
	switch rollout.Outcome(r.Outcome) {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Uninstalled:
		c.Output = cause.Message
	case rollout.RolledBack, rollout.Halted:
		cause.Text = "\n" + clip(next(r), maxPageText) + "\n"
		c.Failure = cause
	case rollout.Suspended, rollout.Superseded, rollout.Cancelled, rollout.Gated:
		c.Skipped = cause
	case rollout.Running:
		c.Error = cause
	}
}

// caseNames counts how often a name was given: a step may be taken twice.
type caseNames map[string]int

func (n caseNames) once(text string) string {
	n[text]++
	if times := n[text]; times > 1 {
		return text + " #" + strconv.Itoa(times)
	}
	return text
}

// stepCases are a step, its checks and its load.
func stepCases(r *Result, i int, names caseNames) []junitCase {
	step := &r.Steps[i]
	class := clip(name(r.Namespace, r.Canary), maxPageText)
	label := names.once(fmt.Sprintf("step %d (%s)", step.Number, shareText(step.Weight, step.Mirror, step.Match)))
	whole := junitCase{ClassName: class, Name: label, Time: junitTime(0)}
	if !step.Left.IsZero() {
		whole.Time = junitTime(step.Left.Sub(step.Entered))
	}
	whole.judgeStep(r, i)
	cases := []junitCase{whole}
	for j := range step.Checks {
		c := junitCase{ClassName: class, Name: names.once(label + ": " + clip(Clean(step.Checks[j].Name), 500)), Time: junitTime(0)}
		c.judgeCheck(&step.Checks[j])
		cases = append(cases, c)
	}
	if slices.ContainsFunc(r.Steps[i+1:], func(later Step) bool { return later.Number == step.Number }) {
		return cases // the load is that of the last time
	}
	return append(cases, loadCases(r, step.Number, label, names)...)
}

// judgeStep passes a step that another one followed, or the promotion.
func (c *junitCase) judgeStep(r *Result, i int) {
	step := &r.Steps[i]
	_, class := stepState(r, i)
	switch class {
	case "fail":
		c.Failure = &junitCause{Message: clip(strings.TrimRight(r.why(), "."), maxPageText), Type: Clean(string(r.Reason))}
	case "wait":
		c.Skipped = &junitCause{Message: "the step was not brought to an end"}
	}
	if step.FailedChecks > 0 {
		c.Output = failedText(step.FailedChecks)
	}
}

func (c *junitCase) judgeCheck(check *rollout.CheckResult) {
	said := strings.TrimRight(valueText(check)+" "+(Look{}).thresholdText(check), " ")
	cause := &junitCause{Message: clip(because(check), maxPageText), Text: evidenceText(check)}
	switch check.Verdict {
	case rollout.Pass:
		c.Output = clip(said, maxPageText)
	case rollout.Fail:
		cause.Type = "CheckFailed"
		c.Failure = cause
	case rollout.NoData:
		cause.Type = "NoData"
		c.Error = cause
	case rollout.Error:
		cause.Type = "ChecksUnknown"
		c.Error = cause
	case rollout.Unknown:
		c.Skipped = &junitCause{Message: "the check was not judged"}
	}
}

// evidenceText is the query and the answer.
func evidenceText(c *rollout.CheckResult) string {
	var b strings.Builder
	for _, part := range []struct{ name, text string }{{"query", queries(c)}, {"answer", c.Raw}} {
		if part.text != "" {
			b.WriteString("\n" + part.name + ":\n" + cleanLines(part.text) + "\n")
		}
	}
	return b.String()
}
