package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Requirement is one thing that a run needs, and whether it is there.
type Requirement struct {
	Canary string `json:"canary"`
	Kind   string `json:"kind"` // such as permission, object, metric or hook
	Name   string `json:"name"`
	Met    Met    `json:"met"`
	Found  string `json:"found,omitempty"` // what was seen, or what is wrong
	Fix    string `json:"fix,omitempty"`   // what to do when it is not met
}

// Met says whether a requirement is met. The zero value is not.
type Met string

// What is not known does not count as met.
const (
	MetUnknown Met = "unknown"
	MetYes     Met = "ok"
	MetNo      Met = "missing"
)

// Unmet counts the requirements that are not there, and those of which nobody knows.
func Unmet(all []Requirement) (missing, unknown int) {
	for i := range all {
		switch all[i].Met {
		case MetYes:
		case MetNo:
			missing++
		case MetUnknown:
			unknown++
		default:
			unknown++
		}
	}
	return missing, unknown
}

// RenderRequirements returns a table of everything that was looked at, and after it what to do about what is missing.
func RenderRequirements(all []Requirement) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "CANARY\tCHECK\tWHAT\tSTATE\tFOUND")
	for i := range all {
		r := &all[i]
		met := r.Met
		if met == "" {
			met = MetUnknown
		}
		_, _ = fmt.Fprintln(w, strings.Join([]string{Clean(r.Canary), Clean(r.Kind), Clean(r.Name), string(met), Clean(r.Found)}, "\t"))
	}
	_ = w.Flush() // into memory
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	seen := map[string]bool{}
	for i := range all {
		fix := Clean(all[i].Fix)
		if all[i].Met == MetYes || fix == "" || seen[fix] {
			continue
		}
		if len(seen) == 0 {
			lines = append(lines, "", "To do:")
		}
		seen[fix] = true
		lines = append(lines, "  - "+fix)
	}
	return seal(lines)
}

// RequirementsJSON returns the same as one JSON document.
func RequirementsJSON(all []Requirement) ([]byte, error) {
	missing, unknown := Unmet(all)
	document := map[string]any{
		"schemaVersion": SchemaVersion, "requirements": append([]Requirement{}, all...), "missing": missing, "unknown": unknown,
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return nil, fmt.Errorf("write the requirements as JSON: %w", err)
	}
	return escapeJSON(b.Bytes()), nil
}

// CheckRequirement says of a check that was asked once whether a run could ask it, with the value that it has now.
func CheckRequirement(canary string, c rollout.CheckResult) Requirement {
	r := Requirement{Canary: canary, Kind: "metric", Name: c.Name}
	switch c.Verdict {
	case rollout.Pass:
		r.Met, r.Found = MetYes, "no value yet, which is usual while nobody sends requests"
		if c.Value != nil {
			r.Found = "is " + valueText(&c) + " now"
		}
	case rollout.NoData, rollout.Fail:
		r.Met, r.Found = MetNo, because(&c)
		r.Fix = "metric " + Clean(c.Name) + ": the query asks for what does not exist; compare it with what the metrics server has"
	case rollout.Error, rollout.Unknown:
		r.Found = because(&c)
		r.Fix = "metric " + Clean(c.Name) + ": make the metrics server answer; see spec.metricsServer, --metrics-server and the template's provider"
	}
	return r
}
