package traffic

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
)

func glooLimits(c *canary.Canary) []string {
	if c.Spec.Analysis == nil {
		return nil
	}
	_, problems := glooMatchers(c.Spec.Analysis.Match)
	return problems
}

// testMatchers returns the matchers of the requests of an A/B test: those of the canary's route, narrowed down.
func (g glooCodec) testMatchers(route []map[string]any) ([]map[string]any, error) {
	if g.c.Spec.Analysis == nil || len(g.c.Spec.Analysis.Match) == 0 {
		return nil, fmt.Errorf("%s: there is no condition to select requests by", analysisMatch)
	}
	test, _ := glooMatchers(g.c.Spec.Analysis.Match) // what is wrong with them was said before
	if len(route) == 0 {
		return test, nil
	}
	var both []map[string]any
	for _, outer := range route {
		for _, inner := range test {
			m := clone(outer)
			for _, field := range []string{"headers", "queryParameters"} {
				if all := append(objects(m, field), objects(inner, field)...); len(all) > 0 {
					m[field] = list(all)
				}
			}
			if methods := inner["methods"]; methods != nil {
				if m["methods"] != nil {
					return nil, fmt.Errorf("%s: the canary's route has methods of its own, so that it cannot be tested by others", analysisMatch)
				}
				m["methods"] = methods
			}
			both = append(both, m)
		}
	}
	return both, nil
}

// glooMatchers returns matches as Gloo has them, one of which must hold, or what Gloo has no words for.
func glooMatchers(matches []canary.HTTPMatchRequest) (matchers []map[string]any, problems []string) {
	for i := range matches {
		m, path := &matches[i], fmt.Sprintf("%s[%d]", analysisMatch, i)
		for _, condition := range otherConditions(m) {
			switch condition {
			case "method", "queryParams":
			case sourceLabels:
				problems = append(problems, path+"."+condition+": "+meshOnly)
			case "uri":
				problems = append(problems, path+".uri: the paths of a RouteTable are those of the VirtualService that delegates to it; match a header, a method or a query parameter")
			default:
				problems = append(problems, fmt.Sprintf("%s.%s: the gloo router has no such condition; it has method, headers and queryParams", path, condition))
			}
		}
		matcher := map[string]any{}
		if m.Method != nil {
			if m.Method.Exact == nil || *m.Method.Exact == "" {
				problems = append(problems, path+".method: the gloo router matches exact: only")
			} else {
				matcher["methods"] = texts([]string{*m.Method.Exact})
			}
		}
		if headers := glooValues(m.Headers); len(headers) > 0 {
			matcher["headers"] = list(headers)
		}
		if parameters := glooValues(m.QueryParams); len(parameters) > 0 {
			matcher["queryParameters"] = list(parameters)
		}
		if len(matcher) == 0 && len(problems) == 0 {
			problems = append(problems, path+": it has no condition, so it would match every request")
		}
		matchers = append(matchers, matcher)
	}
	return matchers, problems
}

// glooValues returns conditions on named texts. Gloo compares exactly or with an expression for the whole of the text; an
// exact one that is empty would ask for any text at all.
func glooValues(conditions map[string]canary.StringMatch) []map[string]any {
	var values []map[string]any
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		value := map[string]any{"name": name}
		switch m := conditions[name]; {
		case m.Exact != nil && *m.Exact == "":
			value["value"], value["regex"] = "^$", true
		case m.Exact != nil:
			value["value"] = *m.Exact
		case m.Prefix != nil:
			value["value"], value["regex"] = regexp.QuoteMeta(*m.Prefix)+".*", true
		case m.Suffix != nil:
			value["value"], value["regex"] = ".*"+regexp.QuoteMeta(*m.Suffix), true
		case m.Regex != nil:
			value["value"], value["regex"] = *m.Regex, true
		}
		values = append(values, value)
	}
	return values
}
