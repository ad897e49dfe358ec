package traffic

import (
	"fmt"
	"slices"
	"strings"
)

// and returns the match that holds when both hold. It is not possible when no request can match both; why says what an
// HTTPRoute has no words for.
func (m routeMatch) and(other routeMatch) (both routeMatch, possible bool, why string) {
	both.path, possible, why = bothPaths(m.path, other.path)
	if why != "" || !possible {
		return both, false, why
	}
	switch {
	case m.method == "" || m.method == other.method:
		both.method = other.method
	case other.method == "":
		both.method = m.method
	default:
		return both, false, ""
	}
	if both.headers, possible, why = bothNamed("header", m.headers, other.headers); !possible || why != "" {
		return both, false, why
	}
	both.query, possible, why = bothNamed("query parameter", m.query, other.query)
	return both, possible && why == "", why
}

// bothPaths returns the narrower of two paths.
func bothPaths(a, b valueMatch) (both valueMatch, possible bool, why string) {
	switch {
	case a == b, b == everyPath, under(a, b):
		return a, true, ""
	case a == everyPath, under(b, a):
		return b, true, ""
	case a.kind == matchRegex || b.kind == matchRegex:
		return a, false, fmt.Sprintf("a rule has one path, not both %s and %s", a.value, b.value)
	}
	return a, false, ""
}

// under reports whether every path that a matches begins with the whole segments of the prefix b.
func under(a, b valueMatch) bool {
	if b.kind != matchPrefix || a.kind == matchRegex {
		return false
	}
	prefix := strings.TrimSuffix(b.value, "/")
	return a.value == prefix || strings.HasPrefix(a.value, prefix+"/")
}

// bothNamed returns the conditions on headers or query parameters of both lists. Each name can be matched once.
func bothNamed(what string, a, b []valueMatch) (both []valueMatch, possible bool, why string) {
	both = slices.Clone(a)
	for _, v := range b {
		i := slices.IndexFunc(a, func(o valueMatch) bool { return o.name == v.name })
		switch {
		case i < 0:
			both = append(both, v)
		case a[i] == v:
		case a[i].kind == matchExact && v.kind == matchExact:
			return nil, false, ""
		default:
			return nil, false, fmt.Sprintf("%s %s can be matched once, not by both %q and %q", what, v.name, a[i].value, v.value)
		}
	}
	slices.SortFunc(both, func(x, y valueMatch) int { return strings.Compare(x.name, y.name) })
	return both, true, ""
}
