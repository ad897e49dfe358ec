package traffic

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// contourMatch is the conditions of one route of an HTTPProxy, all of which must hold.
type contourMatch struct {
	path map[string]any // prefix, exact or regex; nil for every path
	rest []map[string]any
}

// conditions returns a match as a route has it.
func (m contourMatch) conditions() []map[string]any {
	path := m.path
	if path == nil {
		path = map[string]any{"prefix": "/"}
	}
	all := []map[string]any{clone(path)}
	for _, condition := range m.rest {
		all = append(all, clone(condition))
	}
	return all
}

// signature is the same for conditions that mean the same. One element may hold a path and a header, or each its own.
func signature(conditions []map[string]any) string {
	var parts []string
	path := false
	for _, condition := range conditions {
		for field, value := range condition {
			path = path || field == "prefix" || field == "exact" || field == "regex"
			parts = append(parts, fmt.Sprintf("%s=%v", field, value))
		}
	}
	if !path {
		parts = append(parts, "prefix=/")
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// contourMatches returns the requests that the HTTPProxy is for: spec.service.match, or all of them.
func contourMatches(c *canary.Canary) ([]contourMatch, []string) {
	if len(c.Spec.Service.Match) == 0 {
		return []contourMatch{{}}, nil
	}
	return parseContour("spec.service.match", c.Spec.Service.Match)
}

// contourSelected returns the requests of an A/B test: those of the HTTPProxy that spec.analysis.match selects.
func contourSelected(c *canary.Canary) ([]contourMatch, []string) {
	service, problems := contourMatches(c)
	if len(problems) > 0 {
		return nil, problems
	}
	if c.Spec.Analysis == nil || len(c.Spec.Analysis.Match) == 0 {
		return nil, []string{analysisMatch + ": there is no condition to select requests by"}
	}
	selected, problems := parseContour(analysisMatch, c.Spec.Analysis.Match)
	parsed := len(problems) == 0 // of a condition that is refused nothing is left
	var both []contourMatch
	for i, m := range selected {
		for j, s := range service {
			joined, why := m.and(s)
			if why != "" {
				problems = append(problems, fmt.Sprintf("%s[%d]: together with spec.service.match[%d] it cannot be said in an HTTPProxy: %s", analysisMatch, i, j, why))
			}
			both = append(both, joined)
		}
		if parsed && signature(m.conditions()) == signature(contourMatch{}.conditions()) {
			problems = append(problems, fmt.Sprintf("%s[%d]: there is no condition to select requests by", analysisMatch, i))
		}
	}
	return both, problems
}

// and returns what both matches hold for, or why that cannot be said.
func (m contourMatch) and(other contourMatch) (contourMatch, string) {
	joined := contourMatch{path: m.path, rest: slices.Concat(m.rest, other.rest)}
	if m.path == nil {
		joined.path = other.path
	} else if other.path != nil && fmt.Sprint(m.path) != fmt.Sprint(other.path) {
		return joined, "a route has one path"
	}
	seen := map[string]bool{}
	for _, condition := range joined.rest {
		for field, value := range condition {
			named, _ := value.(map[string]any)
			key := field + " " + strings.ToLower(text(named, "name", ""))
			if seen[key] {
				return joined, key + " can be matched once"
			}
			seen[key] = true
		}
	}
	return joined, ""
}

func parseContour(path string, requests []canary.HTTPMatchRequest) ([]contourMatch, []string) {
	var matches []contourMatch
	var problems []string
	for i := range requests {
		m, wrong := parseContourMatch(fmt.Sprintf("%s[%d]", path, i), &requests[i])
		matches, problems = append(matches, m), append(problems, wrong...)
	}
	return matches, problems
}

func parseContourMatch(path string, request *canary.HTTPMatchRequest) (contourMatch, []string) {
	var m contourMatch
	var problems []string
	for _, field := range otherConditions(request) {
		switch field {
		case "uri", "queryParams":
		case sourceLabels:
			problems = append(problems, path+"."+field+": "+meshOnly)
		default:
			problems = append(problems, fmt.Sprintf("%s.%s: an HTTPProxy has no such condition; it has uri, headers and queryParams", path, field))
		}
	}
	if request.URI != nil {
		kind, value := contourPath(request.URI)
		if !strings.HasPrefix(value, "/") {
			problems = append(problems, fmt.Sprintf("%s.uri: %q does not begin with /", path, value))
		}
		m.path = map[string]any{kind: value}
	}
	for _, group := range []struct {
		field  string
		values map[string]canary.StringMatch
	}{{"header", request.Headers}, {"queryParameter", request.QueryParams}} {
		for _, name := range slices.Sorted(maps.Keys(group.values)) {
			m.rest = append(m.rest, map[string]any{group.field: contourNamed(name, group.values[name])})
		}
	}
	return m, problems
}

func contourPath(m *canary.StringMatch) (kind, value string) {
	switch {
	case m.Exact != nil:
		return "exact", *m.Exact
	case m.Prefix != nil:
		return "prefix", *m.Prefix
	case m.Suffix != nil:
		return "regex", "/?.*" + regexp.QuoteMeta(*m.Suffix) // one must begin with a slash
	case m.Regex != nil:
		return "regex", *m.Regex
	}
	return "prefix", "/"
}

// contourNamed returns the condition on a header or a query parameter. Envoy holds expressions against the whole value.
// Contour takes an empty value for none at all. Where Flagger writes contains: for a prefix or a suffix, this is one.
func contourNamed(name string, m canary.StringMatch) map[string]any {
	kind, value := matchKind(&m)
	condition := map[string]any{"name": name}
	switch {
	case m.Exact == nil && value == ".*":
		condition["present"] = true
	case kind == matchExact:
		condition["exact"] = value
	default:
		condition["regex"] = value
	}
	return condition
}
