package traffic

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
)

const (
	nginxNeeds    = "the nginx router needs the name of the Ingress that points at the Service"
	cookieHeader  = "cookie" // the header under which spec.analysis.match names a cookie
	analysisMatch = "spec.analysis.match"
	sourceLabels  = "sourceLabels"
	meshOnly      = "only a service mesh knows the labels of the pod that sends a request; match a header or a cookie instead"
)

func nginxLacks(c *canary.Canary) []string {
	if c.Spec.IngressRef == nil || c.Spec.IngressRef.Name == "" {
		return []string{"spec.ingressRef: " + nginxNeeds}
	}
	return nil
}

func nginxLimits(c *canary.Canary) []string {
	if c.Spec.Analysis == nil || len(c.Spec.Analysis.Match) == 0 {
		return nil
	}
	_, problems := nginxMatch(c)
	return problems
}

// nginxMatch returns spec.analysis.match as annotations of the canary Ingress, or what ingress-nginx has no words for. It
// knows one header and one cookie; a request that has either goes to the canary.
func nginxMatch(c *canary.Canary) (map[string]string, []string) {
	n := nginxConditions{annotations: map[string]string{}}
	var match []canary.HTTPMatchRequest
	if c.Spec.Analysis != nil {
		match = c.Spec.Analysis.Match
	}
	for i := range match {
		n.add(fmt.Sprintf("%s[%d]", analysisMatch, i), &match[i])
	}
	if len(n.annotations) == 0 && len(n.problems) == 0 {
		n.refuse(analysisMatch, "the nginx router needs a header or a cookie to match")
	}
	return n.annotations, n.problems
}

type nginxConditions struct {
	annotations map[string]string
	header      string // the path of the condition on a header
	cookie      string // the path of the condition on a cookie
	problems    []string
}

func (n *nginxConditions) refuse(path, why string) { n.problems = append(n.problems, path+": "+why) }

func (n *nginxConditions) add(path string, m *canary.HTTPMatchRequest) {
	for _, field := range otherConditions(m) {
		why := "the nginx router matches headers and cookies only"
		if field == sourceLabels {
			why = meshOnly
		}
		n.refuse(path+"."+field, why)
	}
	if len(m.Headers) > 1 {
		n.refuse(path+".headers", "the nginx router cannot ask for several headers at once; "+
			"a header and a cookie, one of which is enough, are two elements of "+analysisMatch)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		value, where := m.Headers[name], fmt.Sprintf("%s.headers[%q]", path, name)
		if name == cookieHeader {
			n.addCookie(where, value)
			continue
		}
		n.addHeader(where, name, value)
	}
}

// addCookie takes the name of the cookie from the exact value, as Flagger does. Its value is fixed: ingress-nginx sends
// a request to the canary when it is "always".
func (n *nginxConditions) addCookie(path string, m canary.StringMatch) {
	switch {
	case n.cookie != "":
		n.refuse(path, "the nginx router can match one cookie, and "+n.cookie+" is one already")
	case m.Exact == nil || *m.Exact == "":
		n.refuse(path, `the nginx router matches a cookie by its name only; write exact: and the name, and give the cookie the value "always"`)
	default:
		n.cookie, n.annotations[nginxCookie] = path, *m.Exact
	}
}

func (n *nginxConditions) addHeader(path, name string, m canary.StringMatch) {
	if n.header != "" {
		n.refuse(path, "the nginx router can match one header, and "+n.header+" is one already")
		return
	}
	key, value := nginxHeaderPattern, ""
	switch {
	case m.Exact != nil:
		key, value = nginxHeaderValue, *m.Exact
	case m.Regex != nil:
		value = *m.Regex
	case m.Prefix != nil && *m.Prefix != "":
		value = "^" + regexp.QuoteMeta(*m.Prefix)
	case m.Suffix != nil && *m.Suffix != "":
		value = regexp.QuoteMeta(*m.Suffix) + "$"
	}
	if value == "" {
		n.refuse(path, `the nginx router cannot match an empty value; it would take it for "always"`)
		return
	}
	n.header, n.annotations[nginxHeader], n.annotations[key] = path, name, value
}

// otherConditions names the conditions of a match other than headers.
func otherConditions(m *canary.HTTPMatchRequest) []string {
	var names []string
	for _, condition := range []struct {
		name string
		set  bool
	}{
		{"uri", m.URI != nil}, {"method", m.Method != nil}, {"queryParams", len(m.QueryParams) > 0}, {"scheme", m.Scheme != nil},
		{"authority", m.Authority != nil}, {"port", m.Port != 0}, {"sourceLabels", len(m.SourceLabels) > 0},
		{"gateways", len(m.Gateways) > 0}, {"sourceNamespace", m.SourceNamespace != ""},
		{"withoutHeaders", len(m.WithoutHeaders) > 0}, {"ignoreUriCase", m.IgnoreURICase},
	} {
		if condition.set {
			names = append(names, condition.name)
		}
	}
	return names
}
