package metric

import (
	"math"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// JudgeProbe judges an answer from before there is traffic. Any number passes: what it is says nothing yet of the canary.
// Without data it is NoData too, and the provider's clues have to say whether that is what to expect: see Expected and
// Missing.
func JudgeProbe(c Check, a Answer) rollout.CheckResult {
	r := Judge(c, a)
	if r.Value != nil {
		r.Verdict, r.Message = rollout.Pass, c.Name+": can be asked; "+c.show(*r.Value, math.NaN())+" now"
		r.Min, r.Max = nil, nil // it was not held to them
	}
	return r
}

// Expected passes a check whose metric exists, and that has no data only because the canary has no traffic yet. The note
// is for people, and may be empty.
func Expected(r rollout.CheckResult, note string) rollout.CheckResult {
	r.Min, r.Max = nil, nil
	r.Verdict, r.Message = rollout.Pass, r.Name+": no data yet, which is expected before there is traffic"
	if note != "" {
		r.Message += " (" + note + ")"
	}
	return r
}

// Missing is the verdict when what the check asks for does not exist. Where the rollout's own hooks make the traffic it
// may come into being with it, and is only worth a warning.
func Missing(r rollout.CheckResult, why string, hooks bool) rollout.CheckResult {
	if hooks {
		return Expected(r, "warning: "+why)
	}
	r.Verdict, r.Message = rollout.NoData, r.Name+": "+why
	return r
}
