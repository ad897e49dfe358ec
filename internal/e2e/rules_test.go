package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// sessions name the values of session cookies A, B and so on, in the order in which they appear: each run makes its own.
type sessions map[string]string

var sessionValue = regexp.MustCompile(`=([a-z]{10})\b`)

func (s sessions) named(text string) string {
	return sessionValue.ReplaceAllStringFunc(text, func(found string) string {
		if s[found] == "" {
			s[found] = "=" + string(rune('A'+len(s)))
		}
		return s[found]
	})
}

// rules returns what the rules of the HTTPRoute were, one route after the other, without the help of penstock. A rule is
// its conditions, the weights of primary and canary, what is copied, and which cookies the answers of each set.
func (s *scenario) rules() [][]string {
	s.t.Helper()
	known := sessions{}
	var all [][]string
	s.record.Replay(func(m Moment) {
		route := m.Object("HTTPRoute", "podinfo")
		if route == nil {
			return
		}
		list, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
		var rules []string
		for _, rule := range list {
			rules = append(rules, known.named(describeRule(rule.(map[string]any))))
		}
		if len(all) == 0 || !slices.Equal(all[len(all)-1], rules) {
			all = append(all, rules)
		}
	})
	return all
}

func describeRule(rule map[string]any) string {
	var words []string
	matches, _, _ := unstructured.NestedSlice(rule, "matches")
	var conditions []string
	for _, match := range matches {
		if condition := describeMatch(match.(map[string]any)); condition != "" {
			conditions = append(conditions, condition)
		}
	}
	if len(conditions) > 0 {
		words = append(words, strings.Join(conditions, " or "))
	}
	words = append(words, describeBackends(rule))
	filters, _, _ := unstructured.NestedSlice(rule, "filters")
	for _, filter := range filters {
		mirror, found, _ := unstructured.NestedMap(filter.(map[string]any), "requestMirror")
		if found {
			percent, given := mirror["percent"]
			if !given {
				percent = 100
			}
			name, _, _ := unstructured.NestedString(mirror, "backendRef", "name")
			words = append(words, fmt.Sprintf("copies %v%% to %s", percent, name))
		}
	}
	return strings.Join(words, ", ")
}

// describeMatch leaves out the path when it is every path.
func describeMatch(match map[string]any) string {
	var parts []string
	if path, _, _ := unstructured.NestedMap(match, "path"); path["value"] != "/" {
		parts = append(parts, fmt.Sprintf("path %v %v", path["type"], path["value"]))
	}
	for _, field := range []string{"headers", "queryParams"} {
		list, _, _ := unstructured.NestedSlice(match, field)
		for _, condition := range list {
			c := condition.(map[string]any)
			parts = append(parts, fmt.Sprintf("%s %v %v %v", strings.TrimSuffix(field, "s"), c["name"], c["type"], c["value"]))
		}
	}
	return strings.Join(parts, " and ")
}

func describeBackends(rule map[string]any) string {
	var weights, cookies []string
	refs, _, _ := unstructured.NestedSlice(rule, "backendRefs")
	for _, ref := range refs {
		ref := ref.(map[string]any)
		side := strings.TrimPrefix(fmt.Sprint(ref["name"]), "podinfo-")
		weights = append(weights, fmt.Sprintf("%s %v", side, ref["weight"]))
		filters, _, _ := unstructured.NestedSlice(ref, "filters")
		for _, filter := range filters {
			added, _, _ := unstructured.NestedSlice(filter.(map[string]any), "responseHeaderModifier", "add")
			for _, header := range added {
				h := header.(map[string]any)
				cookies = append(cookies, fmt.Sprintf("%s sets %v: %v", side, h["name"], h["value"]))
			}
		}
	}
	return strings.Join(append(weights, cookies...), ", ")
}
