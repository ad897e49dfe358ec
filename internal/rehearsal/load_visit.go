package rehearsal

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// oneIn is the share of the users whose requests spec.analysis.match selects.
const oneIn = 10

// Visit is what a user asks for: a method, a path, parameters and headers. What is empty is left as it is.
type Visit struct {
	Method, Path string
	Query        url.Values
	Header       map[string]string
}

// ask changes a request into the visit.
func (v Visit) ask(r *http.Request) {
	if v.Method != "" {
		r.Method = v.Method
	}
	if v.Path != "" || len(v.Query) > 0 {
		u := *r.URL
		u.Path, u.RawQuery = v.Path, v.Query.Encode()
		if u.Path == "" {
			u.Path = r.URL.Path
		}
		r.URL = &u
	}
	for name, value := range v.Header {
		r.Header.Set(name, value)
	}
}

// visits are what the users of a canary ask for: most of them something that the route is for, and one in ten something
// that the test selects, each in the way of another of its conditions. Problems name the conditions of the test for which
// no request could be made up.
func visits(c *canary.Canary) (visit func(user int) Visit, problems []string) {
	plain := Visit{}
	if len(c.Spec.Service.Match) > 0 {
		plain, _ = sampleVisit(c, &c.Spec.Service.Match[0], nil)
	}
	var testers []Visit
	if c.Spec.Analysis != nil {
		for i := range c.Spec.Analysis.Match {
			tester, ok := testVisit(c, &c.Spec.Analysis.Match[i])
			if !ok {
				problems = append(problems, fmt.Sprintf("spec.analysis.match[%d]", i))
				continue
			}
			testers = append(testers, tester)
		}
	}
	return func(user int) Visit {
		if len(testers) > 0 && user%oneIn == 0 {
			return testers[user/oneIn%len(testers)]
		}
		return plain
	}, problems
}

// testVisit makes up a request that a match of the test selects, among those that the route is for.
func testVisit(c *canary.Canary, match *canary.HTTPMatchRequest) (Visit, bool) {
	if len(c.Spec.Service.Match) == 0 {
		return sampleVisit(c, match, nil)
	}
	for i := range c.Spec.Service.Match {
		service := &c.Spec.Service.Match[i]
		if visit, ok := sampleVisit(c, match, service); ok && (service.URI == nil || holds(service.URI, visit.Path)) {
			return visit, true
		}
	}
	return Visit{}, false
}

// sampleVisit makes up a request for which a match holds, and as far as that leaves it open, a second one too.
func sampleVisit(c *canary.Canary, match, also *canary.HTTPMatchRequest) (Visit, bool) {
	visit := Visit{Query: url.Values{}, Header: map[string]string{}}
	fine := true
	sample := func(m *canary.StringMatch) string {
		text, ok := sampleText(m)
		fine = fine && ok
		return text
	}
	for _, m := range []*canary.HTTPMatchRequest{also, match} { // the second overrules the first
		if m == nil {
			continue
		}
		if m.URI != nil {
			visit.Path = sample(m.URI)
		}
		if m.Method != nil {
			visit.Method = sample(m.Method)
		}
		for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
			condition := m.Headers[name]
			visit.Header[name] = sample(&condition)
			if name == "cookie" && c.Spec.Provider == "nginx" { // which knows a cookie by its name
				visit.Header[name] += "=always"
			}
		}
		for name, condition := range m.QueryParams {
			visit.Query.Set(name, sample(&condition))
		}
	}
	return visit, fine && (visit.Path == "" || strings.HasPrefix(visit.Path, "/"))
}

// sampleText makes up a text for which a comparison holds.
func sampleText(m *canary.StringMatch) (string, bool) {
	switch {
	case m.Exact != nil:
		return *m.Exact, true
	case m.Prefix != nil:
		return *m.Prefix, true
	case m.Suffix != nil:
		return *m.Suffix, true
	case m.Regex != nil:
		return sampleRegex(*m.Regex)
	}
	return "", false
}

// holds reports whether a comparison holds for a text.
func holds(m *canary.StringMatch, text string) bool {
	switch {
	case m.Exact != nil:
		return text == *m.Exact
	case m.Prefix != nil:
		return strings.HasPrefix(text, *m.Prefix)
	case m.Suffix != nil:
		return strings.HasSuffix(text, *m.Suffix)
	case m.Regex != nil:
		pattern, err := regexp.Compile("^(?:" + *m.Regex + ")$")
		return err == nil && pattern.MatchString(text)
	}
	return true
}
