package workload

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// each stands for every entry of a list or of a map in a path.
const each = "*"

// rules is a tree of what to do with the fields of an object, built once from the tables in defaults.go.
type rules struct {
	fields   map[string]*rules
	tidy     func(m map[string]any) // on the whole object, before its fields
	quantity bool                   // a resource quantity: compared by value
	hasUnset bool
	unset    any // the value that is the same as none
}

// at returns the rules of a path, made when missing.
func (r *rules) at(path string) *rules {
	for name := range strings.SplitSeq(path, ".") {
		next := r.fields[name]
		if next == nil {
			next = &rules{}
			if r.fields == nil {
				r.fields = map[string]*rules{}
			}
			r.fields[name] = next
		}
		r = next
	}
	return r
}

// normalise rewrites a tree in place, such that two that mean the same become equal.
func normalise(tree map[string]any, r *rules) {
	dropNulls(tree)
	r.apply(tree)
}

// apply returns the value in normal form, and false when it is the same as none.
func (r *rules) apply(value any) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		if r.tidy != nil {
			r.tidy(v)
		}
		r.applyFields(v)
		if r.hasUnset && r.unset == nil && len(v) == 0 {
			return nil, false
		}
		return v, true
	case []any:
		if next := r.fields[each]; next != nil {
			for i := range v {
				v[i], _ = next.apply(v[i]) // an entry keeps its place
			}
		}
		return v, len(v) > 0
	}
	if r.quantity {
		value = quantityValue(value)
	}
	return value, !r.hasUnset || value != r.unset
}

func (r *rules) applyFields(m map[string]any) {
	if next := r.fields[each]; next != nil {
		for name, value := range m {
			m[name], _ = next.apply(value)
		}
		return
	}
	for name, next := range r.fields {
		value, ok := m[name]
		if !ok {
			continue
		}
		if value, ok = next.apply(value); ok {
			m[name] = value
		} else {
			delete(m, name)
		}
	}
}

// quantityValue writes a quantity in one notation, rounded up to thousandths as the API server rounds.
func quantityValue(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return value
	}
	q.RoundUp(resource.Milli)
	q.Add(resource.Quantity{}) // forgets the text that it was parsed from
	q.Format = resource.DecimalExponent
	return q.String()
}
