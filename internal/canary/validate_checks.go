package canary

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// The metrics that need neither a template nor a query.
const (
	RequestSuccessRate = "request-success-rate" // percent of the requests that do not end in a 5xx
	RequestDuration    = "request-duration"     // milliseconds
)

var builtinMetrics = []string{RequestSuccessRate, RequestDuration}

// HookTypes are the types that a webhook may have.
func HookTypes() []HookType {
	return []HookType{
		HookConfirmRollout, HookPreRollout, HookRollout, HookConfirmTrafficIncrease, HookConfirmPromotion, HookPostRollout,
		HookRollback, HookEvent,
	}
}

// Builtin reports whether the metric is one that needs neither a template nor a query.
func (m *Metric) Builtin() bool {
	return m.TemplateRef == nil && m.Query == "" && slices.Contains(builtinMetrics, m.Name)
}

func (v *validator) metrics(metrics []Metric) {
	names := map[string]int{}
	for i := range metrics {
		m, path := &metrics[i], at(inAnalysis("metrics"), i)
		v.unique(path, m.Name, names, i)
		v.duration(path+".interval", m.Interval)
		v.metricSource(m, path)
		v.thresholds(m, path)
	}
}

// unique checks the name of an element of a list.
func (v *validator) unique(path, name string, names map[string]int, index int) {
	path += ".name"
	if !v.required(path, name, "a name that no other element of the list has") {
		return
	}
	if first, ok := names[name]; ok {
		v.bad(path, name, fmt.Sprintf("%q is already the name of element [%d]; each needs its own", short(name), first))
		return
	}
	names[name] = index
}

// metricSource checks where the value of a metric comes from.
func (v *validator) metricSource(m *Metric, path string) {
	ref := m.TemplateRef
	switch {
	case ref != nil && m.Query != "":
		v.bad(path+".query", m.Query, "query and templateRef exclude each other; keep one of them")
	case ref == nil && m.Query == "" && m.Name != "" && !slices.Contains(builtinMetrics, m.Name) && !v.src.excused(path+".query") && !v.src.excused(path+".templateRef"):
		v.bad(path, m.Name, fmt.Sprintf("the metric %q has no source; it needs a templateRef, or the name of a builtin metric: %s, %s%s",
			short(m.Name), RequestSuccessRate, RequestDuration, didYouMean(m.Name, builtinMetrics)))
	}
	if ref == nil {
		return
	}
	if v.required(path+".templateRef.name", ref.Name, "the name of a MetricTemplate") {
		v.name(path+".templateRef.name", ref.Name)
	}
	v.label(path+".templateRef.namespace", ref.Namespace)
	v.oneOf(path+".templateRef.kind", ref.Kind, []string{kindTemplate})
}

// thresholds checks the bounds that a metric is held to.
func (v *validator) thresholds(m *Metric, path string) {
	within := path + ".thresholdRange"
	switch r := m.ThresholdRange; {
	case r == nil && m.Threshold == nil && !v.src.excused(path+".threshold"):
		v.missing(within, "min, max or both: without them the check cannot fail")
	case r != nil && r.Min == nil && r.Max == nil && !v.src.excused(within+".min") && !v.src.excused(within+".max"):
		v.missing(within, "min, max or both: without them the check cannot fail")
	case r != nil && r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		v.bad(within+".min", number(*r.Min), fmt.Sprintf("%s is above max, which is %s; no value would pass", number(*r.Min), number(*r.Max)))
	}
	if !m.Builtin() {
		return
	}
	limit, unit := math.Inf(1), "milliseconds"
	if m.Name == RequestSuccessRate {
		limit, unit = 100, "percent"
	}
	check := func(path string, bound *float64) {
		switch {
		case bound == nil:
		case *bound < 0:
			v.bad(path, number(*bound), fmt.Sprintf("%s is below zero; %s is in %s", number(*bound), m.Name, unit))
		case *bound > limit:
			v.bad(path, number(*bound), fmt.Sprintf("%s is above %v; %s is in %s", number(*bound), limit, m.Name, unit))
		}
	}
	check(path+".threshold", m.Threshold)
	if r := m.ThresholdRange; r != nil {
		check(within+".min", r.Min)
		check(within+".max", r.Max)
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func (v *validator) webhooks(hooks []Webhook) {
	types := make([]string, 0, len(HookTypes()))
	for _, t := range HookTypes() {
		types = append(types, string(t))
	}
	names := map[string]int{}
	for i := range hooks {
		h, path := &hooks[i], at(inAnalysis("webhooks"), i)
		v.unique(path, h.Name, names, i)
		v.oneOf(path+".type", string(h.Type), types)
		if v.required(path+".url", h.URL, "the http:// or https:// URL to call") {
			v.hookURL(path, h)
		}
		v.duration(path+".timeout", h.Timeout)
		v.atLeast(path+".retries", h.Retries, 0)
	}
}

// inProcessTypes are the types of the webhooks that test something. Whether a gate is open, the run itself cannot say.
var inProcessTypes = []HookType{HookPreRollout, HookRollout, HookPostRollout}

// hookURL checks where a webhook is.
func (v *validator) hookURL(path string, h *Webhook) {
	switch {
	case !h.InProcess():
		v.url(path+".url", h.URL, false)
	case !slices.Contains(inProcessTypes, h.EffectiveType()):
		v.bad(path+".url", h.URL, fmt.Sprintf("%s makes load and tests; a webhook of type %s asks somebody else: allowed types are %s, %s and %s",
			InProcess, short(string(h.Type)), HookPreRollout, HookRollout, HookPostRollout))
	}
}

var severities = []string{string(SeverityInfo), string(SeverityWarn), string(SeverityError)}

func (v *validator) alerts(alerts []Alert) {
	for i := range alerts {
		a, path := &alerts[i], at(inAnalysis("alerts"), i)
		v.required(path+".name", a.Name, "a name")
		v.oneOf(path+".severity", string(a.Severity), severities)
		if v.required(path+".providerRef.name", a.ProviderRef.Name, "the name of an AlertProvider") {
			v.name(path+".providerRef.name", a.ProviderRef.Name)
		}
		v.label(path+".providerRef.namespace", a.ProviderRef.Namespace)
		v.oneOf(path+".providerRef.kind", a.ProviderRef.Kind, []string{kindProvider})
	}
}
