package metric

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Check is one metric of a canary, compiled: everything that is needed to ask and to judge.
type Check struct {
	Name     string
	Provider string // type of the metrics provider
	Source   Source // without credentials
	Secret   *SecretRef
	Query    string // rendered
	Interval time.Duration
	Min, Max *float64 // both included; at least one is set, or Versus
	Unit     string   // "%", "ms" or empty
	Means    string   // what the value is, in words; empty for queries of the user

	Count   string  // rendered query for the number of requests in the window; empty when nobody asks for a number
	AtLeast float64 // requests below which the check has no data

	Versus *Versus // the canary is held to the primary; nil: to Min and Max
}

// SecretRef names the Secret that holds the credentials of a provider.
type SecretRef struct{ Namespace, Name string }

// String returns namespace/name.
func (r SecretRef) String() string { return r.Namespace + "/" + r.Name }

// Judge holds an answer to the bounds of its check, both included. Only one number within the bounds passes: no data is
// NoData; several series and everything that could not be read are Error. A bound that is NaN is an Error too.
func Judge(c Check, a Answer) rollout.CheckResult {
	r := rollout.CheckResult{
		Name: c.Name, Min: finite(c.Min), Max: finite(c.Max), Unit: c.Unit, Query: c.Query, Raw: a.Raw,
		Verdict: rollout.Error, Message: a.Message,
	}
	switch a.Outcome {
	case Number:
		if math.IsNaN(a.Value) || math.IsInf(a.Value, 0) {
			r.Message = fmt.Sprintf("%v cannot be judged", a.Value)
			break
		}
		r.Value = &a.Value
		r.Verdict, r.Message = c.hold(a.Value)
	case NoData:
		r.Verdict = rollout.NoData
		r.Message += "; " + c.bounds() + " is asked for"
	case Several, Unreadable, Row:
	}
	if r.Message == "" {
		r.Message = "there is no answer"
	}
	r.Message = c.Name + ": " + r.Message
	return r
}

// hold compares a number with the bounds. Comparisons are written so that NaN never passes.
func (c Check) hold(v float64) (rollout.Verdict, string) {
	switch {
	case c.Min == nil && c.Max == nil:
		return rollout.Error, c.show(v, math.NaN()) + " has no bounds to be held to"
	case c.Min != nil && math.IsNaN(*c.Min), c.Max != nil && math.IsNaN(*c.Max):
		return rollout.Error, c.show(v, math.NaN()) + " has a bound that is not a number"
	case c.Min != nil && !(v >= *c.Min):
		return rollout.Fail, fmt.Sprintf("%s is below the minimum of %s", c.show(v, *c.Min), c.unit(exact(*c.Min)))
	case c.Max != nil && !(v <= *c.Max):
		return rollout.Fail, fmt.Sprintf("%s is above the maximum of %s", c.show(v, *c.Max), c.unit(exact(*c.Max)))
	}
	return rollout.Pass, fmt.Sprintf("%s is %s", c.show(v, math.NaN()), c.bounds())
}

// bounds returns what is asked of the value, such as "at least 99 %".
func (c Check) bounds() string {
	switch {
	case c.Versus != nil:
		return "no worse than the primary by more than " + c.tolerated()
	case c.Min != nil && c.Max != nil:
		return "between " + c.unit(exact(*c.Min)) + " and " + c.unit(exact(*c.Max))
	case c.Min != nil:
		return "at least " + c.unit(exact(*c.Min))
	case c.Max != nil:
		return "at most " + c.unit(exact(*c.Max))
	}
	return "a value"
}

// show rounds a value to two digits, unless that made it look like the bound that it misses.
func (c Check) show(v, bound float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	if short, err := strconv.ParseFloat(text, 64); err != nil || short == bound || (short == 0 && v != 0) {
		text = exact(v)
	}
	return c.unit(text)
}

func (c Check) unit(text string) string {
	if c.Unit == "" {
		return text
	}
	return text + " " + c.Unit
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// finite returns a copy of a bound that can be written as JSON.
func finite(v *float64) *float64 {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return nil
	}
	bound := *v
	return &bound
}
