package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/trial"
)

// trialInputs are the inputs of a rehearsal in virtual time.
type trialInputs struct {
	Trials          int     `input:"trials" default:"0" help:"play so many rollouts of a healthy release and of several bad ones in virtual time, and print how often and how soon each is rolled back; 0: rehearse once, with real requests"`
	BaselineErrors  float64 `input:"baseline-errors" default:"0.1" help:"with --trials: percent of the requests that fail on a healthy version"`
	BaselineLatency string  `input:"baseline-latency" default:"50ms" help:"with --trials: median duration of a request on a healthy version; the 99th percentile is 3.2 times as long"`
	Incidents       float64 `input:"incidents" default:"0" help:"with --trials: percent of the time in which 3 % of all requests fail for a reason that is not the release"`
}

// The traffic that no input describes.
const (
	trialSpread = 0.5 // see trial.Traffic
	trialSwing  = 0.2
	maxTrials   = 100_000
)

// parse checks the inputs, with those of the rehearsal that mean nothing or something else to trials.
func (in *trialInputs) parse(of *rehearseInputs) (time.Duration, error) {
	var problems []error
	if in.Trials < 0 || in.Trials > maxTrials {
		problems = append(problems, fmt.Errorf("trials: %d is not between 0 and %d", in.Trials, maxTrials))
	}
	for _, share := range []struct {
		name  string
		value float64
	}{{"baseline-errors", in.BaselineErrors}, {"incidents", in.Incidents}} {
		if !(share.value >= 0 && share.value <= 100) {
			problems = append(problems, fmt.Errorf("%s: %v is not between 0 and 100", share.name, share.value))
		}
	}
	latency, err := time.ParseDuration(in.BaselineLatency)
	if err != nil || latency < time.Millisecond/10 || latency > time.Hour {
		problems = append(problems, fmt.Errorf("baseline-latency: %q is not a duration of 0.1ms to 1h, such as 50ms", in.BaselineLatency))
	}
	if in.Trials > 0 {
		if len(of.Faults) > 0 {
			problems = append(problems, errors.New("fault: not with --trials, which has releases of its own"))
		}
		if of.Speed != 0 {
			problems = append(problems, errors.New("speed: not with --trials, whose time is not real"))
		}
		if of.RPS == 0 {
			problems = append(problems, errors.New("rps: 0 requests per second are no traffic to try anything with"))
		}
	}
	return latency, errors.Join(problems...)
}

// trials are what is printed of them.
type trials struct {
	SchemaVersion int            `json:"schemaVersion"`
	Canary        string         `json:"canary"`
	Namespace     string         `json:"namespace"`
	Trials        int            `json:"trials"`
	Seed          uint64         `json:"seed"`
	Traffic       trialTraffic   `json:"traffic"`
	Checks        []string       `json:"checks"`
	NotSimulated  []string       `json:"notSimulated,omitempty"`
	Releases      []trial.Result `json:"releases"`
}

type trialTraffic struct {
	RPS       int     `json:"rps"`
	Errors    float64 `json:"baselineErrors"`
	Latency   string  `json:"baselineLatency"`
	Incidents float64 `json:"incidents"`
}

// try plays the trials of a canary and prints what came of them.
func (a *App) try(ctx context.Context, in *rehearseInputs, p *plan) error {
	latency, err := in.trialInputs.parse(in)
	if err != nil {
		return badInput(err)
	}
	if err := triable(p); err != nil {
		return badInput(err)
	}
	buckets, err := metric.DurationBuckets(p.canary.Spec.Provider)
	if err != nil {
		return badInput(err)
	}
	tried := trial.Plan{
		Spec: p.spec, Checks: p.checks, Trials: in.Trials, Seed: in.Seed,
		Traffic: trial.Traffic{
			RPS: float64(in.RPS), Errors: in.BaselineErrors, Latency: latency, Spread: trialSpread, Swing: trialSwing, Incidents: in.Incidents, Buckets: buckets,
		},
	}
	out := trials{
		SchemaVersion: 1, Canary: p.canary.Name, Namespace: p.canary.Namespace, Trials: in.Trials, Seed: in.Seed,
		Traffic: trialTraffic{RPS: in.RPS, Errors: in.BaselineErrors, Latency: in.BaselineLatency, Incidents: in.Incidents},
	}
	for i := range p.checks {
		out.Checks = append(out.Checks, p.checks[i].Label())
		if !trial.Simulated(&p.checks[i]) {
			out.NotSimulated = append(out.NotSimulated, p.checks[i].Name)
		}
	}
	for _, r := range trial.Releases() {
		out.Releases = append(out.Releases, tried.Run(r, func() bool { return a.going(ctx) }))
		if !a.going(ctx) {
			return &exitError{code: exitCode(rollout.Cancelled)}
		}
	}
	return a.printTrials(&out, in.Output)
}

// triable refuses what no trial can say anything about.
func triable(p *plan) error {
	if p.spec.Skip || len(p.spec.Checks) == 0 {
		return errors.New("trials: the canary judges nothing, so every release would get through")
	}
	for i, s := range p.spec.Steps {
		if !s.Bare && s.Weight == 0 && s.Mirror == 0 && !s.Match {
			return fmt.Errorf("trials: step %d sends the canary no requests of users; what its hooks send is not known", i+1)
		}
	}
	return nil
}

// going reports whether nobody has asked to stop.
func (a *App) going(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-a.Stop:
		return false
	default:
		return true
	}
}

func (a *App) printTrials(t *trials, output string) error {
	a.say(t.text())
	if output != "json" {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t); err != nil {
		return unfinished(fmt.Errorf("print the trials: %w", err))
	}
	if _, err := a.Stdout.Write(b.Bytes()); err != nil {
		return unfinished(fmt.Errorf("print the trials: %w", err))
	}
	return nil
}

// text is the table for people.
func (t *trials) text() string {
	var b strings.Builder
	name := strings.TrimPrefix(t.Namespace+"/"+t.Canary, "/")
	fmt.Fprintf(&b, "%s: %d trials of each release at %d requests per second. On a healthy version %v %% of the requests fail,\n"+
		"and the median duration is %s.", name, t.Trials, t.Traffic.RPS, t.Traffic.Errors, t.Traffic.Latency)
	if t.Traffic.Incidents > 0 {
		fmt.Fprintf(&b, " In %v %% of the time something else makes 3 %% of all requests fail.", t.Traffic.Incidents)
	}
	fmt.Fprintf(&b, "\n\nchecks: %s\n\n", strings.Join(t.Checks, "\n        "))
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "release\trolled back\tgot through\tcaught after\tuntil then\t")
	for i := range t.Releases {
		fmt.Fprintln(w, strings.Join(trialRow(&t.Releases[i]), "\t")+"\t")
	}
	_ = w.Flush() // to memory
	b.WriteString(t.notes())
	fmt.Fprintf(&b, "\nWhat is caught, and when, are medians. With so many trials a share is right to within %s percentage points.\n",
		number(100*1.96*math.Sqrt(0.25/float64(max(t.Trials, 1)))))
	if len(t.NotSimulated) > 0 {
		fmt.Fprintf(&b, "Taken as passing, for nobody knows what their queries would answer: %s.\n", strings.Join(t.NotSimulated, ", "))
	}
	return b.String()
}

// verdictWords say what became of a check.
var verdictWords = map[rollout.Verdict]string{rollout.Fail: "failed", rollout.NoData: "had no data, or too little", rollout.Error: "could not be asked"}

// notes say what the shares alone do not tell: why healthy releases are rolled back, and that some rollouts came to no end.
func (t *trials) notes() string {
	text := ""
	for i := range t.Releases {
		r := &t.Releases[i]
		if r.Others > 0 {
			text += fmt.Sprintf("%s: %d trials came to neither end; they were halted, or held until the trial was over.\n", r.Name, r.Others)
		}
		if r.Errors > 0 || r.Slower > 1 || len(r.Because) == 0 {
			continue
		}
		var causes []string
		for _, c := range r.Because {
			causes = append(causes, fmt.Sprintf("%s %s (%d of %d)", c.Check, verdictWords[c.Verdict], c.Trials, r.RolledBack))
		}
		text += fmt.Sprintf("Why healthy releases were rolled back: %s.\n", strings.Join(causes, "; "))
	}
	if text == "" {
		return ""
	}
	return "\n" + text
}

func trialRow(r *trial.Result) []string {
	n := float64(max(r.Trials, 1))
	row := []string{r.Name, number(100*float64(r.RolledBack)/n) + " %", number(100*float64(r.GotThrough)/n) + " %", "-", "-"}
	if r.RolledBack == 0 {
		return row
	}
	row[3] = r.After.Round(time.Second).String()
	switch {
	case r.Errors > 0:
		row[4] = fmt.Sprintf("%d failed requests", r.Failed)
	case r.Slower > 1:
		row[4] = fmt.Sprintf("%d slow answers", r.Answers)
	default:
		row[4] = "(false alarm)"
	}
	return row
}

func number(v float64) string { return fmt.Sprintf("%.1f", v) }
