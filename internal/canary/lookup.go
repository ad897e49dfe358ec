package canary

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// child returns the value of a key as written, aliases followed, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	n = follow(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return follow(n.Content[i+1])
		}
	}
	return nil
}

// keyOf returns the key of an entry, or the mapping itself.
func keyOf(root *yaml.Node, key string) *yaml.Node {
	n := follow(root)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return root
}

func firstOf(nodes ...*yaml.Node) *yaml.Node {
	for _, n := range nodes {
		if n != nil && !isNull(n) && n.Value != "" {
			return n
		}
	}
	return nil
}

// titleOf names an object for messages, as far as its name can be read.
func titleOf(root *yaml.Node, kind string) string {
	meta := child(root, "metadata")
	if meta == nil {
		return kind
	}
	read := func(key string) string {
		if n := child(meta, key); n != nil && n.Kind == yaml.ScalarNode && !isNull(n) {
			return short(n.Value)
		}
		return ""
	}
	name := read("name")
	if name == "" {
		return kind
	}
	return fmt.Sprintf("%s %q", kind, slash(read("namespace"), name))
}

func describeRoot(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return strconv.Quote(short(n.Value))
	}
	return "a list"
}
