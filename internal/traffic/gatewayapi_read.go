package traffic

import (
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// read returns what the rules of a route say: the last of Penstock's splits the requests, those before it take some out.
func (r *ruleCodec) read(rules []map[string]any) rollout.Route {
	var route rollout.Route
	var mine []map[string]any
	for _, rule := range rules {
		if r.ours(rule, r.primary, r.canary) {
			mine = append(mine, rule)
		}
	}
	if len(mine) == 0 {
		route.Handover = slices.ContainsFunc(rules, func(rule map[string]any) bool { return r.ours(rule, r.apex) })
		return route
	}
	split := mine[len(mine)-1]
	route.Managed = true
	route.Canary = r.weight(split)
	for _, filter := range objects(split, "filters") {
		if r.mirrors(filter) {
			route.Mirror = mirrorShare(object(filter, "requestMirror"))
		}
	}
	session := r.cookie(split, r.canary)
	kept := map[rollout.Weight]bool{} // by weight: there is a rule for whom the cookie of this side keeps
	for _, rule := range mine[:len(mine)-1] {
		previous, weight := r.takesBack(rule), r.weight(rule)
		switch {
		case previous != "":
			route.Previous = previous
		case r.keeper(rule, session, weight):
			kept[weight] = true
		case weight > 0:
			route.Match = true
		}
	}
	if a := affinity(r.spec); a != nil && kept[100] && (kept[0] || a.PrimaryCookieName == "") {
		route.Session = session
	}
	return route
}

// cookie returns the value of the session cookie that a Service's answers set by a rule.
func (r *ruleCodec) cookie(rule map[string]any, service string) string {
	a := affinity(r.spec)
	if a == nil {
		return ""
	}
	for _, backend := range objects(rule, "backendRefs") {
		if !r.names(backend, service) {
			continue
		}
		for _, cookie := range cookiesOf(backend) {
			if value, found := strings.CutPrefix(cookie, a.CookieName+"="); found {
				value, _, _ = strings.Cut(value, ";")
				return value
			}
		}
	}
	return ""
}

// takesBack returns the value of the cookie that a rule takes back, or nothing.
func (r *ruleCodec) takesBack(rule map[string]any) string {
	for _, backend := range objects(rule, "backendRefs") {
		deletes := slices.ContainsFunc(cookiesOf(backend), func(cookie string) bool { return strings.Contains(cookie, deleted) })
		if deletes && r.names(backend, r.primary) {
			return r.cookie(rule, r.primary)
		}
	}
	return ""
}

// keeper reports whether a rule is the one that keeps on its side who has this session's cookie.
func (r *ruleCodec) keeper(rule map[string]any, session string, weight rollout.Weight) bool {
	a := affinity(r.spec)
	if a == nil || session == "" {
		return false
	}
	name := map[rollout.Weight]string{100: a.CookieName, 0: a.PrimaryCookieName}[weight]
	if name == "" {
		return false
	}
	matches, problems := cookieMatches(r.spec, name+"="+session)
	return len(problems) == 0 && r.sameMatches(rule, matches)
}

// weight returns the canary's share of a rule's requests. A backend without a weight has 1.
func (r *ruleCodec) weight(rule map[string]any) rollout.Weight {
	var part, total float64
	for _, backend := range objects(rule, "backendRefs") {
		weight := number(backend, "weight", 1)
		total += weight
		if r.names(backend, r.canary) {
			part += weight
		}
	}
	return share(part, total)
}
