package rehearsal

import (
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// mergedFields says of the built-in kinds which lists server-side apply merges by the keys of their elements, and which
// maps it takes as one value, as the Kubernetes API documents them. "[]" is an element of a list. Every other list is one
// value, and every other map is merged. The complete description of all kinds would cost every command of the program some
// milliseconds at its start.
const mergedFields = `
metadata.ownerReferences uid
spec.selector atomic
spec.ports port,protocol=TCP
spec.externalIPs atomic
spec.template.spec.POD
spec.POD
status.conditions type
status.podIPs ip
status.hostIPs ip
`

// podFields stand for POD above: the lists of a pod's spec.
const podFields = `
nodeSelector atomic
volumes name
imagePullSecrets name
hostAliases ip
schedulingGates name
resourceClaims name
topologySpreadConstraints topologyKey,whenUnsatisfiable
topologySpreadConstraints[].labelSelector atomic
containers name
containers[].ports containerPort,protocol=TCP
containers[].env name
containers[].volumeMounts mountPath
containers[].volumeDevices devicePath
`

// mergeNode is what is said of one field, and of those below it.
type mergeNode struct {
	fields map[string]*mergeNode
	item   *mergeNode // of a list
	keys   []string   // of a merged list, as name or name=default
	atomic bool
}

func (n *mergeNode) at(path string) *mergeNode {
	for name := range strings.SplitSeq(path, ".") {
		name, inItem := strings.CutSuffix(name, "[]")
		if n.fields == nil {
			n.fields = map[string]*mergeNode{}
		}
		if n.fields[name] == nil {
			n.fields[name] = &mergeNode{}
		}
		if n = n.fields[name]; inItem {
			if n.item == nil {
				n.item = &mergeNode{}
			}
			n = n.item
		}
	}
	return n
}

func (n *mergeNode) say(line string) {
	path, how, _ := strings.Cut(line, " ")
	switch {
	case path == "":
	case strings.HasSuffix(path, "POD"):
		for field := range strings.Lines(podFields) {
			field = strings.TrimSpace(field)
			n.say(strings.TrimSuffix(path, "POD") + field)
			if strings.HasPrefix(field, "containers") {
				n.say(strings.TrimSuffix(path, "POD") + "initC" + field[1:])
				n.say(strings.TrimSuffix(path, "POD") + "ephemeralC" + field[1:])
			}
		}
	case how == "atomic":
		n.at(path).atomic = true
	default:
		field := n.at(path)
		if field.keys = strings.Split(how, ","); field.item == nil {
			field.item = &mergeNode{}
		}
	}
}

const (
	deducedType = "deduced" // lists are one value, maps are merged
	valueType   = "value"   // all is one value
)

func named(name string) smd.TypeRef { return smd.TypeRef{NamedType: &name} }

func untyped(maps smd.ElementRelationship, of string) smd.Atom {
	scalar := smd.Scalar("untyped")
	return smd.Atom{
		Scalar: &scalar,
		List:   &smd.List{ElementType: named(valueType), ElementRelationship: smd.Atomic},
		Map:    &smd.Map{ElementType: named(of), ElementRelationship: maps},
	}
}

// ref is a node as a type.
func (n *mergeNode) ref() smd.TypeRef {
	switch {
	case n.atomic:
		return named(valueType)
	case n.keys != nil:
		list := &smd.List{ElementRelationship: smd.Associative}
		item := n.item.asMap()
		for _, key := range n.keys {
			name, preset, _ := strings.Cut(key, "=")
			list.Keys = append(list.Keys, name)
			if preset != "" {
				item.Fields = append(item.Fields, smd.StructField{Name: name, Type: named(deducedType), Default: preset})
			}
		}
		list.ElementType = smd.TypeRef{Inlined: smd.Atom{Map: item}}
		return smd.TypeRef{Inlined: smd.Atom{List: list}}
	case n.fields == nil:
		return named(deducedType)
	}
	return smd.TypeRef{Inlined: smd.Atom{Map: n.asMap()}}
}

func (n *mergeNode) asMap() *smd.Map {
	m := &smd.Map{ElementType: named(deducedType), ElementRelationship: smd.Separable}
	for name, field := range n.fields {
		m.Fields = append(m.Fields, smd.StructField{Name: name, Type: field.ref()})
	}
	return m
}

// builtinType is the type of all built-in objects: what they call alike is merged alike.
var builtinType = sync.OnceValue(func() typed.ParseableType {
	root := &mergeNode{}
	for line := range strings.Lines(mergedFields) {
		root.say(strings.TrimSpace(line))
	}
	parser := &typed.Parser{Schema: smd.Schema{Types: []smd.TypeDef{
		{Name: deducedType, Atom: untyped(smd.Separable, deducedType)},
		{Name: valueType, Atom: untyped(smd.Atomic, valueType)},
		{Name: "object", Atom: smd.Atom{Map: root.asMap()}},
	}}}
	return parser.Type("object")
})

// builtinConverter gives the field managers the type of built-in objects.
type builtinConverter struct{}

func (builtinConverter) ObjectToTyped(o runtime.Object, opts ...typed.ValidationOptions) (*typed.TypedValue, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	return builtinType().FromUnstructured(content, opts...)
}

func (builtinConverter) TypedToObject(v *typed.TypedValue) (runtime.Object, error) {
	content, ok := v.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an object is not a map but a %T", v.AsValue().Unstructured())
	}
	return &unstructured.Unstructured{Object: content}, nil
}
