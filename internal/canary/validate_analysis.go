package canary

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const analysisPath = "spec.analysis"

// strategies are the fields of which an analysis has exactly one.
var strategies = []string{"iterations", "stepWeight", "stepWeights"}

// inAnalysis returns the path of a field of the analysis.
func inAnalysis(name string) string { return analysisPath + "." + name }

func (v *validator) analysis(a *Analysis) {
	if a == nil {
		v.missing(analysisPath, "exactly one of iterations, stepWeight and stepWeights")
		return
	}
	v.duration(inAnalysis("interval"), a.Interval)
	v.atLeast(inAnalysis("threshold"), a.Threshold, 0)
	v.within(inAnalysis("maxWeight"), a.MaxWeight, 0, 100)
	v.within(inAnalysis("stepWeightPromotion"), a.StepWeightPromotion, 0, 100)
	v.within(inAnalysis("mirrorWeight"), a.MirrorWeight, 0, 100)
	v.percent(inAnalysis("primaryReadyThreshold"), a.PrimaryReadyThreshold)
	v.percent(inAnalysis("canaryReadyThreshold"), a.CanaryReadyThreshold)
	v.strategy(a)
	v.weights(a)
	v.combinations(a)
	for i := range a.Match {
		v.matchRequest(at(inAnalysis("match"), i), &a.Match[i], true)
	}
	v.metrics(a.Metrics)
	v.webhooks(a.Webhooks)
	v.alerts(a.Alerts)
	v.affinity(a)
}

func (v *validator) percent(path string, value *int) {
	if value != nil {
		v.within(path, *value, 0, 100)
	}
}

// strategy reports an analysis that does not have exactly one strategy. A zero beside another strategy is what clients
// of the API write for "not set".
func (v *validator) strategy(a *Analysis) {
	var set []string
	for name, used := range map[string]bool{
		"iterations": a.Iterations != 0, "stepWeight": a.StepWeight != 0, "stepWeights": len(a.StepWeights) > 0,
	} {
		if used || v.src.excused(inAnalysis(name)) {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	switch len(set) {
	case 0:
		v.noStrategy()
	case 1:
	default:
		v.bad(inAnalysis(set[1]), "", fmt.Sprintf("%s exclude each other; keep exactly one of iterations, stepWeight and stepWeights", and(set)))
	}
}

// and lists words as a sentence does.
func and(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func (v *validator) noStrategy() {
	for _, name := range strategies {
		switch path := inAnalysis(name); {
		case !v.src.has(path):
		case name == "stepWeight":
			v.within(path, 0, 1, 100)
			return
		case name == "iterations":
			v.atLeast(path, 0, 1)
			return
		default:
			v.bad(path, "[]", "the list is empty; it needs at least one weight between 1 and 100")
			return
		}
	}
	v.bad(analysisPath, "", "no strategy; set exactly one of iterations (A/B test, blue/green), stepWeight and stepWeights (weighted canary)")
}

// weights checks the steps of a weighted canary and the number of iterations.
func (v *validator) weights(a *Analysis) {
	if a.Iterations != 0 {
		v.atLeast(inAnalysis("iterations"), a.Iterations, 1)
	}
	if a.StepWeight != 0 {
		v.within(inAnalysis("stepWeight"), a.StepWeight, 1, 100)
		if limit := a.EffectiveMaxWeight(); a.StepWeight > limit && a.StepWeight <= 100 {
			v.bad(inAnalysis("stepWeight"), strconv.Itoa(a.StepWeight), fmt.Sprintf("%d is above maxWeight, which is %d", a.StepWeight, limit))
		}
	}
	for i, weight := range a.StepWeights {
		path := at(inAnalysis("stepWeights"), i)
		v.within(path, weight, 1, 100)
		if i > 0 && weight > 0 && weight <= a.StepWeights[i-1] && !v.src.excused(at(inAnalysis("stepWeights"), i-1)) {
			v.bad(path, strconv.Itoa(weight), fmt.Sprintf("%d does not come after %d; each step must be above the one before", weight, a.StepWeights[i-1]))
		}
	}
	if last := len(a.StepWeights) - 1; last >= 0 && a.MaxWeight > 0 && a.StepWeights[last] > a.MaxWeight {
		v.bad(at(inAnalysis("stepWeights"), last), strconv.Itoa(a.StepWeights[last]),
			fmt.Sprintf("%d is above maxWeight, which is %d", a.StepWeights[last], a.MaxWeight))
	}
}

// combinations reports fields that have no effect without another one.
func (v *validator) combinations(a *Analysis) {
	if len(a.Match) > 0 && a.Iterations == 0 && !v.src.excused(inAnalysis("iterations")) {
		v.bad(inAnalysis("match"), "", "match is for A/B tests, which need iterations; a weighted canary ignores it")
	}
	if a.MirrorWeight > 0 && !a.Mirror && !v.src.excused(inAnalysis("mirror")) {
		v.bad(inAnalysis("mirrorWeight"), strconv.Itoa(a.MirrorWeight), fmt.Sprintf("%d has no effect; mirrorWeight needs mirror: true", a.MirrorWeight))
	}
}

// sameSites are the values of the SameSite attribute of a cookie.
var sameSites = []string{"Strict", "Lax", "None"}

func (v *validator) affinity(a *Analysis) {
	s := a.SessionAffinity
	if s == nil {
		return
	}
	path := inAnalysis("sessionAffinity")
	if a.Iterations > 0 {
		v.bad(path, "", "session affinity needs weights; with iterations all or none of the users are on the canary, remove it or use stepWeight")
	}
	if v.required(path+".cookieName", s.CookieName, "the name of the cookie") {
		v.cookie(path+".cookieName", s.CookieName)
	}
	v.cookie(path+".primaryCookieName", s.PrimaryCookieName)
	if s.PrimaryCookieName != "" && s.PrimaryCookieName == s.CookieName {
		v.bad(path+".primaryCookieName", s.PrimaryCookieName, fmt.Sprintf("%q is cookieName too; the two cookies need different names", s.CookieName))
	}
	v.atLeast(path+".maxAge", s.MaxAge, 0)
	v.oneOf(path+".sameSite", s.SameSite, sameSites)
	if s.SameSite == "None" && !s.Secure {
		v.bad(path+".sameSite", s.SameSite, "browsers drop a cookie with sameSite None that is not secure; add secure: true")
	}
	if s.Partitioned && !s.Secure {
		v.bad(path+".partitioned", "true", "browsers drop a partitioned cookie that is not secure; add secure: true")
	}
}

// cookie reports a text that is not empty and not a name for a cookie.
func (v *validator) cookie(path, name string) {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }
	if i := strings.IndexFunc(name, bad); i >= 0 {
		v.bad(path, name, fmt.Sprintf("%q is not a name for a cookie; use letters, digits, \"-\" and \"_\"", short(name)))
	}
}
