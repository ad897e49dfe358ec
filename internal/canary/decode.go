package canary

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder turns a YAML tree into what encoding/json can decode into a type, and reports everything in the tree that the
// type does not allow. What is wrong is left out, so that the rest can still be checked.
type decoder struct {
	src     *source
	skip    int // lines before those of the tree
	lenient bool
	root    reflect.Type
	out     *problems
}

// removed are fields that the resources once had, with what to do instead.
var removed = map[string]string{
	"spec.canaryAnalysis": "was removed from " + APIVersion + "; move what is in it to spec.analysis",
}

// value decodes a node as a type. The second result is false for a value that is wrong or null.
func (d *decoder) value(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	d.note(n, path)
	n = follow(n)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isNull(n) {
		delete(d.src.fields, path)
		return nil, false
	}
	switch {
	case slices.Contains(anythingTypes, t):
		return d.anything(n, path)
	case opaque(t):
		return d.scalar(n, t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.object(n, t, path)
	case reflect.Map:
		return d.mapping(n, t.Elem(), path)
	case reflect.Slice:
		return d.list(n, t.Elem(), path)
	default:
		return d.scalar(n, t, path)
	}
}

// note remembers where a path was written. Inside of an alias that is where its anchor stands.
func (d *decoder) note(n *yaml.Node, path string) {
	d.src.fields[path] = position{line: d.skip + n.Line, column: n.Column}
}

func (d *decoder) object(n *yaml.Node, t reflect.Type, path string) (any, bool) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return nil, false
	}
	fields := fieldsOf(t)
	result := make(map[string]any, len(pairs))
	for _, p := range pairs {
		name := p.key.Value
		at := join(path, name)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		switch {
		case at == "status" && t == d.root: // a view of some rollout; never an input
		case i >= 0:
			if v, ok := d.value(p.value, fields[i].typ, at); ok {
				result[name] = v
			}
			d.note(p.key, at)
			if isNull(follow(p.value)) {
				delete(d.src.fields, at)
			}
		case !d.lenient:
			d.unknown(p.key, t, path)
		}
	}
	return result, true
}

// unknown reports a field that the type does not have, and what was probably meant.
func (d *decoder) unknown(key *yaml.Node, t reflect.Type, path string) {
	at := join(path, key.Value)
	if d.out.full(d.src.file) {
		d.report(key, at, "unknown field")
		return
	}
	if instead, ok := removed[at]; ok {
		d.src.broken["spec.analysis"] = true
		d.report(key, at, instead)
		return
	}
	var names []string
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	if name := nearest(key.Value, names); name != "" {
		d.src.broken[join(path, name)] = true
		d.report(key, at, fmt.Sprintf("unknown field; did you mean %q?", name))
		return
	}
	if place := placeOf(key.Value, d.root); place != "" {
		d.src.broken[place] = true
		d.report(key, at, "unknown field here; it belongs at "+place)
		return
	}
	slices.Sort(names)
	if len(names) > 12 {
		d.report(key, at, "unknown field")
		return
	}
	d.report(key, at, "unknown field; allowed are "+strings.Join(names, ", "))
}

func (d *decoder) mapping(n *yaml.Node, elem reflect.Type, path string) (any, bool) {
	pairs, ok := d.pairs(n, path)
	if !ok {
		return nil, false
	}
	result := make(map[string]any, len(pairs))
	for _, p := range pairs {
		if v, ok := d.value(p.value, elem, fmt.Sprintf("%s[%q]", path, p.key.Value)); ok {
			result[p.key.Value] = v
		}
	}
	return result, true
}

// list decodes a list. An element that is wrong leaves a gap that keeps the indices of the others.
func (d *decoder) list(n *yaml.Node, elem reflect.Type, path string) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		d.mismatch(n, path, "a list (lines that start with \"- \")")
		return nil, false
	}
	result := make([]any, 0, len(n.Content))
	for i, child := range n.Content {
		at := path + "[" + strconv.Itoa(i) + "]"
		v, ok := d.value(child, elem, at)
		if !ok && !d.src.broken[at] {
			d.note(child, at)
			d.report(child, at, "empty list element; give it a value or remove the \"-\"")
		}
		result = append(result, v)
	}
	return result, true
}

// anything decodes a node as generic JSON.
func (d *decoder) anything(n *yaml.Node, path string) (any, bool) {
	n = follow(n)
	switch n.Kind {
	case yaml.MappingNode:
		pairs, ok := d.pairs(n, path)
		result := make(map[string]any, len(pairs))
		for _, p := range pairs {
			v, good := d.anything(p.value, join(path, p.key.Value))
			ok = ok && good
			result[p.key.Value] = v
		}
		return result, ok
	case yaml.SequenceNode:
		ok := true
		result := make([]any, 0, len(n.Content))
		for i, child := range n.Content {
			v, good := d.anything(child, path+"["+strconv.Itoa(i)+"]")
			ok = ok && good
			result = append(result, v)
		}
		return result, ok
	default:
		v, err := plain(n)
		if err != nil {
			d.report(n, path, err.Error())
			return nil, false
		}
		return v, true
	}
}

// report adds a problem with the node at path.
func (d *decoder) report(n *yaml.Node, path, message string) {
	d.src.broken[path] = true
	if d.out.full(d.src.file) {
		d.out.more++
		return
	}
	d.out.add(Problem{
		File: d.src.file, Line: d.skip + n.Line, Column: n.Column, Object: d.src.object, Path: path,
		Value: shown(d.root, path, n), Message: message,
	})
}
