package traffic

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// The ways in which an HTTPRoute compares texts.
const (
	matchExact  = "Exact"
	matchPrefix = "PathPrefix"
	matchRegex  = "RegularExpression"
)

// valueMatch compares one text: a path, or a named header or query parameter.
type valueMatch struct{ name, kind, value string }

// routeMatch is an HTTPRouteMatch: all of its conditions must hold.
type routeMatch struct {
	path    valueMatch
	method  string
	headers []valueMatch // sorted by name, one of each
	query   []valueMatch
}

var everyPath = valueMatch{kind: matchPrefix, value: "/"}

// serviceMatches returns the requests that the route is for: spec.service.match, or all of them.
func serviceMatches(c *canary.Canary) ([]routeMatch, []string) {
	if len(c.Spec.Service.Match) == 0 {
		return []routeMatch{{path: everyPath}}, nil
	}
	return parseMatches("spec.service.match", c.Spec.Service.Match)
}

// analysisMatches returns the requests of an A/B test: those of the route that spec.analysis.match selects.
func analysisMatches(c *canary.Canary) ([]routeMatch, []string) {
	service, problems := serviceMatches(c)
	if len(problems) > 0 {
		return nil, problems
	}
	if c.Spec.Analysis == nil || len(c.Spec.Analysis.Match) == 0 {
		return nil, []string{analysisMatch + ": there is no condition to select requests by"}
	}
	selected, problems := parseMatches(analysisMatch, c.Spec.Analysis.Match)
	if len(problems) > 0 {
		return nil, problems
	}
	var both []routeMatch
	for i := range selected {
		for j := range service {
			match, possible, why := selected[i].and(service[j])
			if why != "" {
				return nil, []string{fmt.Sprintf("%s[%d]: together with spec.service.match[%d] it cannot be said in an HTTPRoute: %s", analysisMatch, i, j, why)}
			}
			if possible {
				both = append(both, match)
			}
		}
	}
	if len(both) == 0 {
		return nil, []string{analysisMatch + ": no request can match it and spec.service.match too"}
	}
	return both, nil
}

func parseMatches(path string, requests []canary.HTTPMatchRequest) ([]routeMatch, []string) {
	var matches []routeMatch
	var problems []string
	for i := range requests {
		m, wrong := parseMatch(fmt.Sprintf("%s[%d]", path, i), &requests[i])
		matches, problems = append(matches, m), append(problems, wrong...)
	}
	return matches, problems
}

func parseMatch(path string, m *canary.HTTPMatchRequest) (routeMatch, []string) {
	match := routeMatch{path: everyPath, headers: namedMatches(m.Headers), query: namedMatches(m.QueryParams)}
	var problems []string
	for _, field := range otherConditions(m) {
		switch field {
		case "uri", "method", "queryParams":
			continue
		case "authority":
			problems = append(problems, path+".authority: an HTTPRoute matches hosts for all of its rules at once; use spec.service.hosts")
			continue
		case sourceLabels:
			problems = append(problems, path+"."+sourceLabels+": "+meshOnly)
			continue
		}
		problems = append(problems, fmt.Sprintf("%s.%s: an HTTPRoute has no such condition; it has uri, method, headers and queryParams", path, field))
	}
	if m.URI != nil {
		kind, value := matchKind(m.URI)
		if m.URI.Prefix != nil {
			kind, value = matchPrefix, *m.URI.Prefix
		}
		if kind != matchRegex && !strings.HasPrefix(value, "/") {
			problems = append(problems, fmt.Sprintf("%s.uri: %q does not begin with /", path, value))
		}
		match.path = valueMatch{kind: kind, value: value}
	}
	if m.Method != nil {
		if m.Method.Exact == nil || !slices.Contains(methods, *m.Method.Exact) {
			problems = append(problems, fmt.Sprintf("%s.method: an HTTPRoute matches exact: and one of %s", path, strings.Join(methods, ", ")))
			return match, problems
		}
		match.method = *m.Method.Exact
	}
	return match, problems
}

// methods are those that an HTTPRoute can match.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func namedMatches(conditions map[string]canary.StringMatch) []valueMatch {
	var matches []valueMatch
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		condition := conditions[name]
		kind, value := matchKind(&condition)
		matches = append(matches, valueMatch{name, kind, value})
	}
	return matches
}

// matchKind returns a comparison in the words of an HTTPRoute, which knows exact values and regular expressions. Some
// gateways hold an expression against the whole value and some look for it anywhere in it, so those that are made here
// mean the same to both.
func matchKind(m *canary.StringMatch) (kind, value string) {
	switch {
	case m.Exact != nil && *m.Exact == "":
		return matchRegex, "^$" // an exact value must not be empty
	case m.Exact != nil:
		return matchExact, *m.Exact
	case m.Prefix != nil:
		return matchRegex, "^" + regexp.QuoteMeta(*m.Prefix) + ".*"
	case m.Suffix != nil:
		return matchRegex, ".*" + regexp.QuoteMeta(*m.Suffix) + "$"
	case m.Regex != nil && *m.Regex != "":
		return matchRegex, *m.Regex
	}
	return matchRegex, ".*"
}

// matchObjects returns matches as a rule has them.
func matchObjects(matches []routeMatch) []map[string]any {
	all := make([]map[string]any, 0, len(matches))
	for i := range matches {
		m := &matches[i]
		o := map[string]any{"path": map[string]any{"type": m.path.kind, "value": m.path.value}}
		if m.method != "" {
			o["method"] = m.method
		}
		for field, values := range map[string][]valueMatch{"headers": m.headers, "queryParams": m.query} {
			var named []any
			for _, v := range values {
				named = append(named, map[string]any{"name": v.name, "type": v.kind, "value": v.value})
			}
			if named != nil {
				o[field] = named
			}
		}
		all = append(all, o)
	}
	return all
}

// liveMatches reads the matches of a live rule, defaults filled in.
func (r *ruleCodec) liveMatches(rule map[string]any) []routeMatch {
	all := objects(rule, "matches")
	if len(all) == 0 {
		return []routeMatch{{path: everyPath}}
	}
	var matches []routeMatch
	for _, o := range all {
		path := object(o, "path")
		if r.grpc() {
			path = grpcPath(object(o, "method"))
		}
		m := routeMatch{
			path:   valueMatch{kind: text(path, "type", everyPath.kind), value: text(path, "value", everyPath.value)},
			method: text(o, "method", ""), headers: liveNamed(objects(o, "headers")), query: liveNamed(objects(o, "queryParams")),
		}
		matches = append(matches, m)
	}
	return matches
}

func liveNamed(values []map[string]any) []valueMatch {
	var named []valueMatch
	for _, v := range values {
		named = append(named, valueMatch{text(v, "name", ""), text(v, "type", matchExact), text(v, "value", "")})
	}
	slices.SortFunc(named, func(a, b valueMatch) int { return strings.Compare(a.name, b.name) })
	return named
}

func (r *ruleCodec) sameMatches(rule map[string]any, matches []routeMatch) bool {
	return reflect.DeepEqual(r.liveMatches(rule), matches)
}

// shadows reports whether a rule takes requests that one of the matches is for: of equal matches the first rule wins.
func (r *ruleCodec) shadows(rule map[string]any, matches []routeMatch) bool {
	return slices.ContainsFunc(r.liveMatches(rule), func(m routeMatch) bool {
		return slices.ContainsFunc(matches, func(other routeMatch) bool { return reflect.DeepEqual(m, other) })
	})
}

func describeMatches(matches []routeMatch) string {
	var words []string
	for i := range matches {
		m := &matches[i]
		parts := []string{m.path.kind + " " + m.path.value}
		if m.method != "" {
			parts = append(parts, "method "+m.method)
		}
		for _, h := range m.headers {
			parts = append(parts, fmt.Sprintf("header %s %s %q", h.name, h.kind, h.value))
		}
		for _, q := range m.query {
			parts = append(parts, fmt.Sprintf("query parameter %s %s %q", q.name, q.kind, q.value))
		}
		words = append(words, strings.Join(parts, " and "))
	}
	return strings.Join(words, ", or ")
}
