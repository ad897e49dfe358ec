package manifest

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Rule is a rule of a role with what it is for.
type Rule struct {
	rbacv1.PolicyRule
	Why []string
}

// Rules groups the needs of one namespace into as few rules as grant them and nothing more, sorted. What is granted for
// any object is not granted for a named one again.
func Rules(needs []Need) []Rule {
	byObject := map[Permission]*Rule{} // without a verb
	for _, n := range needs {
		anyName := n.Permission
		anyName.Name = ""
		if n.Name != "" && slices.ContainsFunc(needs, func(o Need) bool { return o.Permission == anyName }) {
			continue
		}
		key := n.Permission
		key.Verb = ""
		r := byObject[key]
		if r == nil {
			r = &Rule{PolicyRule: rbacv1.PolicyRule{APIGroups: []string{n.Group}, Resources: []string{n.path()}}}
			if n.Name != "" {
				r.ResourceNames = []string{n.Name}
			}
			byObject[key] = r
		}
		r.Verbs, r.Why = union(r.Verbs, n.Verb), union(r.Why, n.Why)
	}
	rules := make([]Rule, 0, len(byObject))
	for _, r := range byObject {
		slices.SortFunc(r.Verbs, func(a, b string) int { return cmp.Compare(verbRank(a), verbRank(b)) })
		rules = append(rules, *r)
	}
	slices.SortFunc(rules, compareRules)
	return compact(compact(rules, mergeNames), mergeResources)
}

// compact merges each rule into an earlier one where that grants nothing more.
func compact(rules []Rule, merge func(into, r *Rule) bool) []Rule {
	var all []Rule
next:
	for i := range rules {
		for j := range all {
			if merge(&all[j], &rules[i]) {
				continue next
			}
		}
		all = append(all, rules[i])
	}
	return all
}

// mergeNames merges rules for objects of one kind.
func mergeNames(into, r *Rule) bool {
	if len(into.ResourceNames) == 0 || len(r.ResourceNames) == 0 || !slices.Equal(into.Resources, r.Resources) ||
		!slices.Equal(into.APIGroups, r.APIGroups) || !slices.Equal(into.Verbs, r.Verbs) {
		return false
	}
	into.ResourceNames, into.Why = union(into.ResourceNames, r.ResourceNames...), union(into.Why, r.Why...)
	return true
}

// mergeResources merges rules for kinds of one group. Rules of two groups are not merged: each resource would be granted
// in both.
func mergeResources(into, r *Rule) bool {
	if !slices.Equal(into.ResourceNames, r.ResourceNames) || !slices.Equal(into.APIGroups, r.APIGroups) || !slices.Equal(into.Verbs, r.Verbs) {
		return false
	}
	into.Resources, into.Why = union(into.Resources, r.Resources...), union(into.Why, r.Why...)
	return true
}

// union appends what is not there yet.
func union(all []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func compareRules(a, b Rule) int {
	return cmp.Or(
		slices.Compare(a.APIGroups, b.APIGroups), slices.Compare(a.Resources, b.Resources),
		slices.Compare(a.ResourceNames, b.ResourceNames), strings.Compare(strings.Join(a.Verbs, ","), strings.Join(b.Verbs, ",")),
	)
}

// verbRank puts verbs in the order in which people list them: reading before writing.
func verbRank(verb string) int {
	return slices.Index([]string{"get", "list", "watch", "create", "update", "patch", "delete"}, verb)
}
