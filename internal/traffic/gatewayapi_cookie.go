package traffic

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	affinityPath = "spec.analysis.sessionAffinity"
	setCookie    = "Set-Cookie"
	deleted      = "; Max-Age=-1"
)

// sessionCookie recognises the Set-Cookie values that a rollout, of Penstock or of Flagger, has put into a route: the
// value of the cookie is ten letters.
var sessionCookie = regexp.MustCompile(`^[^=;\s]+=[A-Za-z]{10};`)

// affinity returns spec.analysis.sessionAffinity, or nil.
func affinity(c *canary.Canary) *canary.SessionAffinity {
	if c.Spec.Analysis == nil {
		return nil
	}
	return c.Spec.Analysis.SessionAffinity
}

// keepsUsers reports whether users are kept on their side. While the canary has no traffic there is nobody to keep there.
func keepsUsers(c *canary.Canary, want rollout.Route) bool {
	return affinity(c) != nil && want.Session != "" && want.Canary > 0 && !want.Handover
}

// cookieText returns a Set-Cookie value. The attributes come in the order in which Flagger writes them, so that a canary
// that changes hands does not change its route. A browser deletes a cookie only when domain and path are those that it
// was set with, so a deletion has them too, which Flagger's lacks.
func cookieText(a *canary.SessionAffinity, name, value string, maxAge int) string {
	text := fmt.Sprintf("%s=%s; Max-Age=%d", name, value, maxAge)
	for _, attribute := range []struct {
		set  bool
		text string
	}{
		{a.Domain != "", "Domain=" + a.Domain}, {a.HTTPOnly, "HttpOnly"}, {a.Partitioned, "Partitioned"},
		{a.Path != "", "Path=" + a.Path}, {a.SameSite != "", "SameSite=" + a.SameSite}, {a.Secure, "Secure"},
	} {
		if attribute.set {
			text += "; " + attribute.text
		}
	}
	return text
}

// primaryMaxAge is the lifetime in seconds of the cookie that keeps users on the primary: one analysis window, after which
// they are drawn again, so that the canary's share of the users grows with its weight.
func primaryMaxAge(a *canary.Analysis) int {
	return max(1, int((a.EffectiveInterval()+time.Second-1)/time.Second))
}

// cookies makes the backends of the split hand out the cookies that keep users where they are. The backends are those of
// the primary and the canary, in this order.
func (r *ruleCodec) cookies(backends []map[string]any, want rollout.Route) error {
	if !keepsUsers(r.spec, want) {
		return nil
	}
	a := affinity(r.spec)
	if a.PrimaryCookieName != "" {
		text := cookieText(a, a.PrimaryCookieName, want.Session, primaryMaxAge(r.spec.Spec.Analysis))
		if err := addCookie(backends[0], text); err != nil {
			return err
		}
	}
	return addCookie(backends[1], cookieText(a, a.CookieName, want.Session, a.EffectiveMaxAge()))
}

// kept returns the rules for the requests that carry the cookies of this rollout.
func (r *ruleCodec) kept(split map[string]any, want rollout.Route) ([]map[string]any, error) {
	if !keepsUsers(r.spec, want) {
		return nil, nil
	}
	var rules []map[string]any
	for _, side := range []struct {
		name   string
		weight rollout.Weight
	}{{affinity(r.spec).CookieName, 100}, {affinity(r.spec).PrimaryCookieName, 0}} {
		if side.name == "" {
			continue
		}
		rule, err := r.withCookie(split, side.name+"="+want.Session, side.weight)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// released returns the rule for the requests that carry the cookie of the rollout before: they are split like all
// others. The primary's answers delete the cookie, and the canary's replace it.
func (r *ruleCodec) released(split map[string]any, want rollout.Route) ([]map[string]any, error) {
	a := affinity(r.spec)
	if a == nil || want.Previous == "" || want.Previous == want.Session {
		return nil, nil
	}
	rule, err := r.withCookie(split, a.CookieName+"="+want.Previous, want.Canary)
	if err != nil {
		return nil, err
	}
	backends := objects(rule, "backendRefs")
	if err := addCookie(backends[0], cookieText(a, a.CookieName, want.Previous, -1)); err != nil {
		return nil, err
	}
	if keepsUsers(r.spec, want) {
		if err := addCookie(backends[1], cookieText(a, a.CookieName, want.Session, a.EffectiveMaxAge())); err != nil {
			return nil, err
		}
	}
	rule["backendRefs"] = list(backends)
	return []map[string]any{rule}, nil
}

// withCookie returns the split's rule for the requests that carry a cookie.
func (r *ruleCodec) withCookie(split map[string]any, cookie string, weight rollout.Weight) (map[string]any, error) {
	matches, problems := cookieMatches(r.spec, cookie)
	if len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	return r.pinned(split, matches, weight)
}

// cookieMatches returns the requests of the route that carry a cookie, given as name=value.
func cookieMatches(c *canary.Canary, cookie string) ([]routeMatch, []string) {
	service, problems := serviceMatches(c)
	carries := routeMatch{path: everyPath, headers: []valueMatch{cookieMatch(cookie)}}
	var both []routeMatch
	for i := range service {
		match, _, why := carries.and(service[i])
		if why != "" {
			problems = append(problems, fmt.Sprintf("%s: together with spec.service.match[%d] it cannot be said in an HTTPRoute: %s", affinityPath, i, why))
		}
		both = append(both, match)
	}
	return both, problems
}

// cookieMatch finds a cookie among the others of a request. Flagger's expression would also find it in another's value.
func cookieMatch(cookie string) valueMatch {
	return valueMatch{cookieHeader, matchRegex, "^(.*; *)?" + regexp.QuoteMeta(cookie) + "(;.*)?$"}
}

// affinityLimits lists what of the session affinity an HTTPRoute has no words for.
func affinityLimits(c *canary.Canary) []string {
	a := affinity(c)
	if a == nil {
		return nil
	}
	_, problems := cookieMatches(c, a.CookieName+"=x")
	return append(problems, cookieLimits(a)...)
}

// cookieLimits lists what cannot be in a cookie.
func cookieLimits(a *canary.SessionAffinity) []string {
	var problems []string
	for _, attribute := range []struct{ name, value string }{{"domain", a.Domain}, {"path", a.Path}} {
		if strings.ContainsFunc(attribute.value, func(r rune) bool { return r == ';' || r < ' ' || r > '~' }) {
			problems = append(problems, fmt.Sprintf("%s.%s: %q cannot be in a cookie; a semicolon and what is not printable ASCII are not allowed",
				affinityPath, attribute.name, attribute.value))
		}
	}
	return problems
}

// addCookie makes a backend add a cookie to its answers. A backend has one filter that changes the answers' headers, and
// this has one value for a header.
func addCookie(backend map[string]any, text string) error {
	entry := map[string]any{"name": setCookie, "value": text}
	filters := objects(backend, "filters")
	for _, filter := range filters {
		if filter["type"] != filterResponse {
			continue
		}
		modifier := object(filter, "responseHeaderModifier")
		added := objects(modifier, "add")
		if slices.ContainsFunc(added, setsCookie) {
			return fmt.Errorf("the backend %q of the canary's rule sets a cookie of its own, beside which %s has no place", backend["name"], affinityPath)
		}
		modifier["add"] = list(append(added, entry))
		return nil
	}
	backend["filters"] = list(append(filters, map[string]any{
		"type": filterResponse, "responseHeaderModifier": map[string]any{"add": list([]map[string]any{entry})},
	}))
	return nil
}

func setsCookie(header map[string]any) bool {
	return strings.EqualFold(text(header, "name", ""), setCookie)
}

// cookiesOf lists the session cookies that a backend adds to its answers.
func cookiesOf(backend map[string]any) []string {
	var all []string
	for _, filter := range objects(backend, "filters") {
		for _, header := range objects(object(filter, "responseHeaderModifier"), "add") {
			if value := text(header, "value", ""); setsCookie(header) && sessionCookie.MatchString(value) {
				all = append(all, value)
			}
		}
	}
	return all
}

// withoutCookies returns a copy of a backend that adds no session cookie to its answers.
func withoutCookies(live map[string]any) map[string]any {
	backend := clone(live)
	if len(cookiesOf(backend)) == 0 {
		return backend
	}
	var filters []map[string]any
	for _, filter := range objects(backend, "filters") {
		if modifier := object(filter, "responseHeaderModifier"); modifier != nil {
			added := slices.DeleteFunc(objects(modifier, "add"), func(header map[string]any) bool {
				return setsCookie(header) && sessionCookie.MatchString(text(header, "value", ""))
			})
			delete(modifier, "add")
			if len(added) > 0 {
				modifier["add"] = list(added)
			}
			if len(modifier) == 0 {
				continue
			}
		}
		filters = append(filters, filter)
	}
	delete(backend, "filters")
	if len(filters) > 0 {
		backend["filters"] = list(filters)
	}
	return backend
}
