package canary

import (
	"net/url"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// masked stands for a value that may be a secret.
const masked = "***"

// longestShown is how much of a value is repeated in a message, in runes.
const longestShown = 60

// secretFields are the fields whose values let whoever reads them post to a chat or query a server.
var secretFields = map[reflect.Type][]string{
	reflect.TypeFor[AlertProvider]():  {"spec.address", "spec.proxy"},
	reflect.TypeFor[MetricTemplate](): {"spec.provider.address", "spec.provider.headers"},
}

// shown returns a node's value as a message may repeat it.
func shown(root reflect.Type, path string, n *yaml.Node) string {
	switch n = follow(n); n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	for _, secret := range secretFields[root] {
		if strings.HasPrefix(path, secret) {
			return masked
		}
	}
	return short(n.Value)
}

// short cuts a long or multi-line value.
func short(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if runes := []rune(line); len(runes) > longestShown {
		line, more = string(runes[:longestShown]), true
	}
	if more {
		return line + "…"
	}
	return line
}

// shownURL repeats a URL without its password and query, where people put tokens.
func shownURL(s string) string {
	s, _, cut := strings.Cut(s, "?")
	if u, err := url.Parse(s); err == nil {
		s = u.Redacted()
	} else if at := strings.LastIndex(s, "@"); at >= 0 {
		s = masked + s[at:]
	}
	if cut {
		s += "?" + masked
	}
	return short(s)
}
