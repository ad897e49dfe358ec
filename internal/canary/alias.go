package canary

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// expansion measures how many values a document has once its aliases are followed.
type expansion struct {
	sizes map[*yaml.Node]int
	open  map[*yaml.Node]bool
	loop  *yaml.Node
	plain int
}

// checkAliases refuses a document that contains itself or that its aliases blow up.
func checkAliases(doc document) *unreadable {
	e := expansion{sizes: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	total := e.size(doc.root)
	if e.loop != nil {
		return &unreadable{doc.skip + e.loop.Line, fmt.Sprintf("alias %q is inside of what it stands for, so it would never end", "*"+e.loop.Value)}
	}
	if total-e.plain > maxAliasNodes {
		return &unreadable{doc.skip + doc.root.Line, fmt.Sprintf(
			"the aliases (*name) of this document add more than %d values to it; write fewer or smaller ones", maxAliasNodes)}
	}
	return nil
}

// size returns the expanded size of a node, and stops counting when it is beyond any limit.
func (e *expansion) size(n *yaml.Node) int {
	const enough = 1 << 40
	if n.Kind == yaml.AliasNode {
		if e.open[n.Alias] {
			e.loop = n
			return 1
		}
		return e.size(n.Alias)
	}
	if size, ok := e.sizes[n]; ok {
		return size
	}
	e.plain++
	e.open[n] = true
	size := 1
	for _, child := range n.Content {
		size = min(size+e.size(child), enough)
	}
	e.open[n] = false
	e.sizes[n] = size
	return size
}
