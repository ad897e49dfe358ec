package canary

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// pair is one entry of a mapping.
type pair struct{ key, value *yaml.Node }

// pairs returns the entries of a mapping with those that "<<" merges into it; the mapping's own entries win. The second
// result is false when the node is no mapping.
func (d *decoder) pairs(n *yaml.Node, path string) ([]pair, bool) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, "a mapping (\"name: value\" lines)")
		return nil, false
	}
	own, merged := make([]pair, 0, len(n.Content)/2), []pair(nil)
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := follow(key)
		switch first := seen[name.Value]; {
		case name.Kind != yaml.ScalarNode:
			d.report(key, path, "a name is needed before the \":\", not a list or a mapping")
		case name.ShortTag() == "!!merge":
			merged = append(merged, d.merge(value, path)...)
		case first != nil:
			d.report(key, join(path, name.Value), fmt.Sprintf(
				"duplicate key: it is also on line %d, and only one of the two would count; remove one", d.skip+first.Line))
		default:
			seen[name.Value] = key
			own = append(own, pair{named(key, name), value})
		}
	}
	for _, p := range merged {
		if seen[p.key.Value] == nil {
			seen[p.key.Value] = p.key
			own = append(own, p)
		}
	}
	return own, true
}

// named gives a key that is written as an alias the value of its anchor.
func named(key, name *yaml.Node) *yaml.Node {
	if key == name {
		return key
	}
	resolved := *name
	resolved.Line, resolved.Column = key.Line, key.Column
	return &resolved
}

// merge returns the entries that "<<: *a" or "<<: [*a, *b]" brings in; earlier ones win.
func (d *decoder) merge(value *yaml.Node, path string) []pair {
	from := follow(value)
	switch from.Kind {
	case yaml.MappingNode:
		pairs, _ := d.pairs(from, path)
		return pairs
	case yaml.SequenceNode:
		var all []pair
		for _, child := range from.Content {
			if target := follow(child); target.Kind == yaml.MappingNode {
				pairs, _ := d.pairs(target, path)
				all = append(all, pairs...)
				continue
			}
			d.report(child, join(path, "<<"), "only mappings can be merged with \"<<\"")
		}
		return all
	default:
		d.report(value, join(path, "<<"), "only mappings can be merged with \"<<\"")
		return nil
	}
}
