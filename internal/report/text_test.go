package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func uncoloured(text string) string {
	lines := strings.Split(ansi.Strip(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func TestLineOfOneDecisionAfterAnother(t *testing.T) {
	t.Parallel()
	later := at(3)
	later.Now = noon.Add(time.Second)
	taken := because(at(3), rollout.StepTaken, "")
	taken.Status.Window, taken.Status.Moved = time.Time{}, noon.Add(time.Second)
	taken.WakeAt = noon.Add(10 * time.Minute)
	lost := because(failing(1, rate(99.9, rollout.Pass)), rollout.CanaryNotReady, `pod "p": OOMKilled`)
	again := failing(1, rate(94.2, rollout.Fail))
	again.Status.Revision = "0a1b2c"
	tests := []struct {
		name       string
		prev, next report.Snapshot
		want       string
	}{
		{"a decision that says nothing new has no line", at(3), later, ""},
		{
			"a step shows the values that it was taken on", at(2), taken,
			"12:03:10 shop/podinfo  Progressing  step 3/5  30%  request-success-rate 99.8% >= 99%, request-duration 145ms <= 500ms",
		},
		{
			"an opened window says when its checks are due", taken, at(3),
			"12:03:10 shop/podinfo  Progressing  step 3/5  30%  request-success-rate 99.8% >= 99%, request-duration 145ms <= 500ms  analysing  next in 10s",
		},
		{
			"a canary that was lost names the pod and not the checks", at(3), lost,
			`12:03:20 shop/podinfo  Progressing  step 3/5  30%  FAILED CHECK 1/5 the canary is not ready: pod "p": OOMKilled  next in 10s`,
		},
		{
			"failures of another revision are not counted against the first failure", failing(2, rate(94.2, rollout.Fail)), again,
			"12:03:20 shop/podinfo  Progressing  step 3/5  30%  FAILED CHECK 1/5 request-success-rate 94.2% is below 99%  next in 10s",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, report.Line(test.prev, test.next)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLineIsOneLineWhateverComes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := failing(1, rate(94.2, rollout.Fail))
		text := rapid.OneOf(rapid.String(), rapid.Just(hostile), rapid.Just("::error::x"))
		s.Canary, s.Namespace, s.Reason = text.Draw(t, "canary"), text.Draw(t, "namespace"), text.Draw(t, "reason")
		s.Checks[0].Message, s.Checks[0].Unit = text.Draw(t, "message"), text.Draw(t, "unit")
		line := report.Line(report.Snapshot{}, s)
		if strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 || r > 0x7e }) ||
			strings.HasPrefix(line, "::") || strings.Contains(line, "##[") || strings.TrimSpace(line) != line {
			t.Fatalf("%q", line)
		}
	})
}

func TestSentence(t *testing.T) {
	t.Parallel()
	base := report.Result{Canary: "podinfo", Namespace: "shop", Revision: "7d9f8c", Image: goodImage, Started: noon, Finished: noon.Add(52 * time.Second)}
	step := func(w rollout.Weight, c ...rollout.CheckResult) report.Step { return report.Step{Weight: w, Checks: c} }
	tests := []struct {
		name   string
		change func(*report.Result)
		want   string
	}{
		{"promoted", func(r *report.Result) {
			r.Outcome, r.Steps = report.Outcome(rollout.Promoted), []report.Step{step(10), step(20), step(30), step(40), step(50)}
		}, "Promoted: podinfo 6.0.1 passed 5 steps in 52s."},
		{"promoted after one step of an image by digest", func(r *report.Result) {
			r.Outcome, r.Steps, r.Image = report.Outcome(rollout.Promoted), []report.Step{step(50)}, "x:6@sha256:00"
		}, "Promoted: podinfo revision 7d9f8c passed 1 step in 52s."},
		{"promoted without analysis, from a registry with a port", func(r *report.Result) {
			r.Outcome, r.Reason, r.Image = report.Outcome(rollout.Promoted), rollout.AnalysisSkipped, "registry:5000/podinfo"
		}, "Promoted: podinfo revision 7d9f8c without analysis in 52s."},
		{"rolled back for a value", func(r *report.Result) {
			r.Outcome, r.Reason, r.FailedChecks = report.Outcome(rollout.RolledBack), rollout.CheckFailed, 5
			r.Steps = []report.Step{step(10, rate(99.9, rollout.Pass)), step(30, rate(94.2, rollout.Fail), duration(120))}
		}, "Rolled back at 30%: request-success-rate 94.2% is below 99% (5 failed checks)."},
		{"rolled back before any traffic", func(r *report.Result) {
			r.Outcome, r.Reason, r.Message = report.Outcome(rollout.RolledBack), rollout.CanaryBroken, "the canary cannot become ready: no image."
		}, "Rolled back before it got traffic: the canary cannot become ready: no image."},
		{"halted", func(r *report.Result) {
			r.Outcome, r.Weight, r.Message = report.Outcome(rollout.Halted), 100, "the primary cannot become ready"
		}, "Halted with 100% of the traffic on the canary: the primary cannot become ready."},
		{"cancelled", func(r *report.Result) { r.Outcome = report.Outcome(rollout.Cancelled) }, "Cancelled: all traffic is on the primary."},
		{"cancelled half way", func(r *report.Result) { r.Outcome, r.Weight = report.Outcome(rollout.Cancelled), 30 }, "Cancelled with 30% of the traffic on the canary."},
		{"initialised", func(r *report.Result) { r.Outcome = report.Outcome(rollout.Initialised) }, "Initialised: the primary serves podinfo 6.0.1; the next change is analysed."},
		{"unchanged", func(r *report.Result) { r.Outcome = report.Outcome(rollout.Unchanged) }, "Nothing to do: podinfo 6.0.1 was promoted already."},
		{"suspended", func(r *report.Result) { r.Outcome = report.Outcome(rollout.Suspended) }, "Suspended: spec.suspend of shop/podinfo is true; nothing was changed."},
		{"superseded", func(r *report.Result) { r.Outcome = report.Outcome(rollout.Superseded) }, "Superseded: another run has taken over shop/podinfo."},
		{"not finished", func(r *report.Result) { r.Weight, r.Message = 30, "analysing" }, "Not finished, with 30% of the traffic on the canary: analysing."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := base
			test.change(&r)
			if got := report.Sentence(r); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestJSONReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for name, s := range snapshots() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "hostile" { // holds a NaN and bytes that are not UTF-8, which JSON cannot
				t.Skip("not expressible in JSON")
			}
			want := rehearsed(s)
			doc, err := want.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var got report.Result
			if err := json.Unmarshal(doc, &got); err != nil {
				t.Fatalf("%v in %s", err, doc)
			}
			want.SchemaVersion = report.SchemaVersion
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestJSONKeepsTextThatItEscapes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := report.Result{Message: rapid.OneOf(rapid.String(), rapid.Just("\u009b\u202e##[x]\U000e0041<>&\u2028")).Draw(t, "message")}
		doc, err := want.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var got report.Result
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if got.Message != want.Message {
			t.Fatalf("wrote %q, read %q", want.Message, got.Message)
		}
		if strings.ContainsAny(string(doc), "\x1b\u009b\u202e\u200b") || strings.Contains(string(doc), "##[") {
			t.Fatalf("%q", doc)
		}
	})
}

func TestOutcomeIsRefusedWhenUnknown(t *testing.T) {
	t.Parallel()
	var o report.Outcome
	if err := o.UnmarshalText([]byte("exploded")); err == nil || !strings.Contains(err.Error(), `"exploded"`) {
		t.Errorf("got %v", err)
	}
}

func TestStepsOfAHistory(t *testing.T) {
	t.Parallel()
	at := func(s int, phase rollout.Phase, step, failed int, c ...rollout.CheckResult) rollout.Entry {
		return rollout.Entry{
			Time: noon.Add(time.Duration(s) * time.Second), Phase: phase, Step: step, Weight: rollout.Weight(10 * step), Failed: failed, Checks: c,
		}
	}
	good, bad := rate(99.9, rollout.Pass), rate(90, rollout.Fail)
	step := func(w rollout.Weight, from, to, failed int, c ...rollout.CheckResult) report.Step {
		s := report.Step{Number: int(w) / 10, Weight: w, Entered: noon.Add(time.Duration(from) * time.Second), FailedChecks: failed, Checks: c}
		if to > 0 {
			s.Left = noon.Add(time.Duration(to) * time.Second)
		}
		return s
	}
	const on, back = rollout.Progressing, rollout.RollingBack
	tests := []struct {
		name    string
		history []rollout.Entry
		want    []report.Step
	}{
		{"none without a history", nil, nil},
		{
			"the checks of an entry judge the step before it",
			[]rollout.Entry{at(0, on, 0, 0), at(1, on, 1, 0), at(11, on, 2, 0, good), at(21, rollout.Promoting, 2, 0, good), at(23, rollout.Succeeded, 2, 0)},
			[]report.Step{step(10, 1, 11, 0, good), step(20, 11, 21, 0, good)},
		},
		{
			"failures count for the step during which they happened",
			[]rollout.Entry{at(0, on, 0, 0), at(1, on, 1, 0), at(11, on, 1, 1, bad), at(21, on, 2, 1, good), at(31, back, 2, 2, bad), at(32, rollout.Failed, 2, 2)},
			[]report.Step{step(10, 1, 21, 1, good), step(20, 21, 31, 1, bad)},
		},
		{
			"a new revision starts over",
			[]rollout.Entry{at(1, on, 1, 0), at(11, on, 2, 0, good), at(15, on, 0, 0), at(16, on, 1, 0)},
			[]report.Step{step(10, 16, 0, 0)},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, report.Steps(test.history), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
