package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Standing is what the cluster keeps about one canary: the record of its last run, whether a run is at work, and what
// people have said. Its JSON form is what penstock status prints.
type Standing struct {
	Canary    string         `json:"canary"`
	Namespace string         `json:"namespace"`
	Record    rollout.Record `json:"record"`
	Problem   string         `json:"problem,omitempty"` // why the record, or the decisions, cannot be read

	Run       Attendance   `json:"run"`
	Holder    string       `json:"holder,omitempty"`      // the run that holds the lease
	HeldUntil time.Time    `json:"heldUntil,omitzero"`    // when the lease may be taken over, unless it is renewed
	Decisions approval.Log `json:"decisions,omitzero"`    // as kept; see approval.Verify
	Gate      *Gate        `json:"waitingGate,omitempty"` // what the run has said about the gate at which it waits
	Lacks     []string     `json:"lacks,omitempty"`       // what that gate still lacks, in words

	Notice *approval.Notice `json:"-"` // by which operators speak to the run; nil when it listens to nobody
}

// earlier are the rollouts that the record remembers from before its own, as they ended, the newest first.
func (s *Standing) earlier() []Standing {
	var out []Standing
	for _, e := range slices.Backward(s.Record.Past) {
		out = append(out, Standing{Canary: s.Canary, Namespace: s.Namespace, Run: Unattended, Record: rollout.Record{
			ID: e.ID, Image: e.Image, Commit: e.Commit, RunURL: e.RunURL, Started: e.Started, Updated: e.Updated,
			Status: rollout.Status{Phase: e.Phase, Halted: e.Halted, Reason: e.Reason, Revision: e.Revision},
		}})
	}
	return out
}

// Attendance says whether a run is at work.
type Attendance string

// The zero value is not known: the lease may not be read.
const (
	AttendanceUnknown Attendance = ""
	Attended          Attendance = "live"
	Unattended        Attendance = "none"
)

// Attend fills in whether a run is at work now, from the lease.
func (s *Standing) Attend(now time.Time) {
	switch {
	case s.Holder != "" && now.Before(s.HeldUntil):
		s.Run = Attended
	default:
		s.Run = Unattended
	}
}

// state is the phase, or that the rollout was given up, or that its record says nothing that can be read.
func (s *Standing) state() string {
	switch st := &s.Record.Status; {
	case s.Problem != "" && st.Phase == "":
		return "Unreadable"
	case st.Halted:
		return "Halted"
	case st.Phase == "":
		return "New"
	default:
		return Clean(string(st.Phase))
	}
}

// step is how far the analysis is, such as "2/5".
func (s *Standing) step() string {
	if n := len(s.Record.History); n > 0 && s.Record.History[n-1].Steps > 0 {
		return fmt.Sprintf("%d/%d", s.Record.Status.Step, s.Record.History[n-1].Steps)
	}
	return strconv.Itoa(s.Record.Status.Step)
}

// gate is what people wait for, or the gate of the record.
func (s *Standing) gate() string {
	if s.Gate != nil {
		return s.Gate.Name
	}
	return string(s.Record.Status.Gate)
}

func (s *Standing) attendance() string {
	if s.Run == AttendanceUnknown {
		return "?"
	}
	return string(s.Run)
}

// ListOptions say which columns a list has.
type ListOptions struct {
	Namespaces bool // a first column with the namespace
	Wide       bool
	NoHeaders  bool
	Steady     bool // for lines that come one by one: columns as wide as they may have to be
	NameWidth  int  // of the names in a steady list
	Now        time.Time
}

// The widths of a steady list: those of the longest phase and of the longest gate.
const (
	stateWidth = len("WaitingPromotion")
	gateWidth  = len("confirm-traffic-increase")
)

// RenderStandings returns a list with a line for each canary, as kubectl writes one.
func RenderStandings(all []Standing, o ListOptions) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 6, 4, 3, ' ', 0) // kubectl's own widths
	line := func(cells []string) { _, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) }
	if !o.NoHeaders || o.Steady {
		headers := []string{"NAME", "STATUS", "WEIGHT", "STEP", "FAILED", "GATE", "RUN", "AGE", "IMAGE"}
		if o.Steady {
			headers[0], headers[1], headers[5] = pad(headers[0], o.NameWidth), pad(headers[1], stateWidth), pad(headers[5], gateWidth)
		}
		if o.Namespaces {
			headers = append([]string{"NAMESPACE"}, headers...)
		}
		if o.Wide {
			headers = append(headers, "REVISION", "COMMIT", "UPDATED", "URL", "REASON")
		}
		line(headers)
	}
	for i := range all {
		line(all[i].cells(o))
	}
	_ = w.Flush() // into memory
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if o.NoHeaders && o.Steady {
		lines = lines[1:]
	}
	return seal(lines)
}

func (s *Standing) cells(o ListOptions) []string {
	r := &s.Record
	cells := []string{
		Clean(s.Canary), s.state(), percent(r.Status.Weight), s.step(), strconv.Itoa(r.Status.Failed), orNone(s.gate()),
		s.attendance(), age(r.Started, o.Now), orNone(r.Image),
	}
	if o.Namespaces {
		cells = append([]string{Clean(s.Namespace)}, cells...)
	}
	if o.Wide {
		cells = append(cells, orNone(r.Status.Revision), orNone(head(r.Commit, 12)), age(r.Updated, o.Now), orNone(r.RunURL), orNone(s.reason()))
	}
	return cells
}

func (s *Standing) reason() string {
	if s.Problem != "" {
		return s.Problem
	}
	if n := len(s.Record.History); n > 0 && s.Record.Status.Reason.Code == "" {
		return s.Record.History[n-1].Reason
	}
	return s.Record.Status.Reason.String()
}

// orNone writes text from outside, and what kubectl writes where there is none.
func orNone(text string) string {
	if text = Clean(text); text == "" {
		return "<none>"
	}
	return text
}

// age is how long ago something was, as kubectl counts it.
func age(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "<unknown>"
	case d < 0:
		return "0s" // the clock of the cluster is ahead
	case d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	default:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
}

// StandingsJSON returns one canary as an object, and several as a list of them with the field items.
func StandingsJSON(all []Standing, single bool) ([]byte, error) {
	all = append([]Standing{}, all...)
	for i := range all {
		all[i].Record.Plan = nil // for programs that end a rollout; people have the Canary itself
	}
	var document any = map[string]any{"schemaVersion": SchemaVersion, "items": all}
	if single && len(all) == 1 {
		document = all[0]
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return nil, fmt.Errorf("write the status as JSON: %w", err)
	}
	return escapeJSON(b.Bytes()), nil
}

// StandingsYAML returns the same as YAML.
func StandingsYAML(all []Standing, single bool) ([]byte, error) {
	text, err := StandingsJSON(all, single)
	if err != nil {
		return nil, err
	}
	if text, err = yaml.JSONToYAML(text); err != nil {
		return nil, fmt.Errorf("write the status as YAML: %w", err)
	}
	return text, nil
}
