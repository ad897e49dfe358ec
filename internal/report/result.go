package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// SchemaVersion is the version of the JSON document. It grows when a field changes its meaning or goes; new fields may
// come without.
const SchemaVersion = 1

// Result is a finished run. Its JSON form is what --output json prints. Times are RFC 3339; percentages are 0 to 100.
type Result struct {
	SchemaVersion int     `json:"schemaVersion"` // 1; filled in by JSON
	Outcome       Outcome `json:"outcome"`       // see Outcome for the words
	ExitCode      int     `json:"exitCode"`      // what the process exits with

	Canary    string `json:"canary"`
	Namespace string `json:"namespace"`
	Provider  string `json:"provider"`           // the router, such as "gatewayapi:v1"
	Revision  string `json:"revision,omitempty"` // hash of the analysed pod template
	Image     string `json:"image,omitempty"`    // what was rolled out, when known

	Reason       rollout.Code   `json:"reasonCode,omitempty"` // one CamelCase word, such as CheckFailed
	Message      string         `json:"reason"`               // the reason as a sentence
	Weight       rollout.Weight `json:"weight"`               // the canary's share of the traffic at the end
	FailedChecks int            `json:"failedChecks"`         // failed checks of the whole rollout
	Threshold    int            `json:"threshold"`            // failed checks at which it is rolled back

	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`

	Steps []Step `json:"steps"` // the analysis, in order; empty when nothing was analysed

	Loads []Load `json:"loads,omitempty"` // that the run has made itself, in order

	PrimaryScaler string `json:"primaryScaler,omitempty"` // the autoscalers in words, as they were at the end
	CanaryScaler  string `json:"canaryScaler,omitempty"`

	Traffic         *Traffic `json:"traffic,omitempty"`         // the whole run; rehearsals only
	Users           int      `json:"users,omitempty"`           // simulated users that sent requests
	UsersWithErrors int      `json:"usersWithErrors,omitempty"` // of them, those that saw an error at least once
	StandIns        []string `json:"standIns,omitempty"`        // objects that the files lacked and that were stood in for
	Faults          []string `json:"faults,omitempty"`          // faults that were asked for, as written
}

// Step is one step of the analysis as it went.
type Step struct {
	Number       int                   `json:"number"`           // among the steps of the plan, from 1
	Weight       rollout.Weight        `json:"weight"`           // the canary's wanted share
	Mirror       rollout.Weight        `json:"mirror,omitempty"` // the share of the requests that is copied to the canary
	Match        bool                  `json:"match,omitempty"`  // requests that match spec.analysis.match go to the canary
	Entered      time.Time             `json:"entered,omitzero"` // when the step was taken
	Left         time.Time             `json:"left,omitzero"`    // when the next decision left it; zero when it never was
	FailedChecks int                   `json:"failedChecks"`     // failures counted during the step
	Checks       []rollout.CheckResult `json:"checks"`           // as last judged during the step
	Traffic      *Traffic              `json:"traffic,omitempty"`
}

// Traffic counts real requests by the version that answered them.
type Traffic struct {
	Primary       int `json:"primary"`
	Canary        int `json:"canary"`
	PrimaryErrors int `json:"primaryErrors"` // of Primary: answered with a server error, or not at all
	CanaryErrors  int `json:"canaryErrors"`
}

// Requests is the number of all requests.
func (t *Traffic) Requests() int { return t.Primary + t.Canary }

// Errors is the number of all failed requests.
func (t *Traffic) Errors() int { return t.PrimaryErrors + t.CanaryErrors }

// Outcome is rollout.Outcome with a name in JSON: running, initialised, unchanged, promoted, rolled-back, halted,
// suspended, superseded, cancelled, waiting or uninstalled.
type Outcome rollout.Outcome

// MarshalText writes the name.
func (o Outcome) MarshalText() ([]byte, error) {
	return []byte(strings.ReplaceAll(outcomeWords(rollout.Outcome(o)), " ", "-")), nil
}

// UnmarshalText reads what MarshalText wrote. An unknown name is an error.
func (o *Outcome) UnmarshalText(text []byte) error {
	for known := rollout.Running; known <= rollout.Uninstalled; known++ {
		if name, _ := Outcome(known).MarshalText(); bytes.Equal(name, text) {
			*o = Outcome(known)
			return nil
		}
	}
	return fmt.Errorf("outcome %q is not known", text)
}

func outcomeWords(o rollout.Outcome) string {
	switch o {
	case rollout.Running:
		return "running"
	case rollout.Initialised:
		return "initialised"
	case rollout.Unchanged:
		return "unchanged"
	case rollout.Promoted:
		return "promoted"
	case rollout.RolledBack:
		return "rolled back"
	case rollout.Halted:
		return "halted"
	case rollout.Suspended:
		return "suspended"
	case rollout.Superseded:
		return "superseded"
	case rollout.Cancelled:
		return "cancelled"
	case rollout.Gated:
		return "waiting"
	case rollout.Uninstalled:
		return "uninstalled"
	}
	return "running"
}

// JSON returns the result as one indented document with a final line break. Strings keep what came from outside, but
// escaped so that printing the document to a terminal or a CI log does nothing. A value that JSON cannot express (NaN, an
// infinity) is left out.
func (r Result) JSON() ([]byte, error) {
	r.SchemaVersion = SchemaVersion
	steps := make([]Step, len(r.Steps))
	for i, s := range r.Steps {
		s.Checks = finite(s.Checks)
		steps[i] = s
	}
	r.Steps = steps
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // queries are full of < and >
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("write result as JSON: %w", err)
	}
	return escapeJSON(b.Bytes()), nil
}

func finite(checks []rollout.CheckResult) []rollout.CheckResult {
	out := make([]rollout.CheckResult, len(checks))
	keep := func(v *float64) *float64 {
		if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
			return nil
		}
		return v
	}
	for i, c := range checks {
		c.Value, c.Min, c.Max, c.Comparison = keep(c.Value), keep(c.Min), keep(c.Max), finiteComparison(c.Comparison)
		out[i] = c
	}
	return out
}

// escapeJSON writes what is invisible as \uXXXX and takes "##[" apart. Neither occurs outside of JSON strings, so the
// document means what it meant.
func escapeJSON(doc []byte) []byte {
	doc = bytes.ReplaceAll(doc, []byte("##["), []byte(`#\u0023[`))
	out := make([]byte, 0, len(doc))
	for len(doc) > 0 {
		r, n := utf8.DecodeRune(doc)
		switch {
		case r == '\n' || visible(r):
			out = append(out, doc[:n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		doc = doc[n:]
	}
	return out
}
