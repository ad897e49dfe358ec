package canary

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds of APIVersion.
const (
	kindCanary   = "Canary"
	kindTemplate = "MetricTemplate"
	kindProvider = "AlertProvider"

	kindComparison = "Comparison" // of ComparisonVersion
)

// reader fills a set from files.
type reader struct {
	set Set
	out problems
}

func (r *reader) file(f File) {
	data, bad := readable(f.Data)
	if bad != nil {
		r.unreadable(f.Name, *bad)
		return
	}
	docs, broken := documents(data)
	for _, b := range broken {
		r.unreadable(f.Name, b)
	}
	if len(docs) == 0 && len(broken) == 0 {
		r.unreadable(f.Name, unreadable{message: "the file has nothing but comments"})
	}
	for _, doc := range docs {
		if b := checkAliases(doc); b != nil {
			r.unreadable(f.Name, *b)
			continue
		}
		r.node(f.Name, doc, identity{})
	}
}

func (r *reader) unreadable(file string, u unreadable) {
	r.out.add(Problem{File: file, Line: max(1, u.line), Column: 1, Message: u.message})
}

// identity is the API version and the kind of an object.
type identity struct{ apiVersion, kind string }

// node reads one object, or those of a list. The elements of a typed list may leave out what inherited says.
func (r *reader) node(file string, doc document, inherited identity) {
	src := newSource(file)
	d := &decoder{src: src, skip: doc.skip, out: &r.out}
	d.note(doc.root, "")
	if follow(doc.root).Kind != yaml.MappingNode {
		d.report(doc.root, "", fmt.Sprintf("%s where a Kubernetes object is needed (a mapping with apiVersion, kind and metadata)",
			describeRoot(doc.root)))
		return
	}
	id, ok := d.identity(doc.root, inherited)
	if !ok {
		return
	}
	if strings.HasSuffix(id.kind, "List") {
		if items := child(doc.root, "items"); items != nil && items.Kind == yaml.SequenceNode {
			r.list(file, doc, id, items)
			return
		}
	}
	switch group, _, _ := strings.Cut(id.apiVersion, "/"); {
	case group == "kustomize.config.k8s.io":
	case isFlagger(group, id.kind):
		r.flagger(d, doc.root, id)
	case group == "penstock.dev":
		r.own(d, doc.root, id)
	default:
		r.other(d, doc.root, id)
	}
}

func (r *reader) list(file string, doc document, id identity, items *yaml.Node) {
	inherited := identity{}
	if id.kind != "List" {
		inherited = identity{id.apiVersion, strings.TrimSuffix(id.kind, "List")}
	}
	for _, item := range items.Content {
		r.node(file, document{root: item, skip: doc.skip}, inherited)
	}
}

// identity reads the API version and the kind of an object, and reports those that are missing.
func (d *decoder) identity(root *yaml.Node, inherited identity) (identity, bool) {
	ok := true
	read := func(name, fallback, example string) string {
		n := child(root, name)
		switch {
		case n == nil && fallback != "":
			return fallback
		case n == nil || isNull(n) || n.Value == "" && n.Kind == yaml.ScalarNode:
			d.report(root, name, "missing; every Kubernetes object has one, such as "+example)
		case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
			d.mismatch(n, name, "text")
		default:
			return n.Value
		}
		ok = false
		return ""
	}
	id := identity{read("apiVersion", inherited.apiVersion, APIVersion), read("kind", inherited.kind, kindCanary)}
	return id, ok
}

// isFlagger reports whether an object is one of Flagger's, or is meant to be.
func isFlagger(group, kind string) bool {
	return group == "flagger.app" || kind == kindCanary || kind == kindTemplate || kind == kindProvider
}

func (r *reader) flagger(d *decoder, root *yaml.Node, id identity) {
	kinds := []string{kindCanary, kindTemplate, kindProvider}
	if id.apiVersion != APIVersion {
		d.src.broken["apiVersion"] = true
		d.report(keyOf(root, "apiVersion"), "apiVersion", fmt.Sprintf("%q is not the API version of a %s; write %s", short(id.apiVersion), short(id.kind), APIVersion))
	}
	switch id.kind {
	case kindCanary:
		if c := new(Canary); d.into(root, c, id) {
			r.set.Canaries = append(r.set.Canaries, c)
			r.keep(c, d.src)
			validateCanary(d.validator(), c)
		}
	case kindTemplate:
		if t := new(MetricTemplate); d.into(root, t, id) {
			r.set.Templates = append(r.set.Templates, t)
			r.keep(t, d.src)
			validateTemplate(d.validator(), t)
		}
	case kindProvider:
		if p := new(AlertProvider); d.into(root, p, id) {
			r.set.Providers = append(r.set.Providers, p)
			r.keep(p, d.src)
			validateProvider(d.validator(), p)
		}
	default:
		d.report(keyOf(root, "kind"), "kind", fmt.Sprintf("%q is not a kind of %s; allowed are %s%s",
			short(id.kind), APIVersion, strings.Join(kinds, ", "), didYouMean(id.kind, kinds)))
	}
}

// own reads a resource of Penstock itself.
func (r *reader) own(d *decoder, root *yaml.Node, id identity) {
	if id.apiVersion != ComparisonVersion {
		d.src.broken["apiVersion"] = true
		d.report(keyOf(root, "apiVersion"), "apiVersion", fmt.Sprintf("%q is not an API version of Penstock; write %s", short(id.apiVersion), ComparisonVersion))
	}
	if id.kind != kindComparison {
		d.report(keyOf(root, "kind"), "kind", fmt.Sprintf("%q is not a kind of %s; allowed is %s", short(id.kind), ComparisonVersion, kindComparison))
		return
	}
	if x := new(Comparison); d.into(root, x, id) {
		r.set.Comparisons = append(r.set.Comparisons, x)
		r.keep(x, d.src)
		validateComparison(d.validator(), x)
	}
}

func (r *reader) keep(object any, src *source) { r.set.sources[object] = src }

// into decodes a node into an object; what is wrong is reported and left out.
func (d *decoder) into(root *yaml.Node, object metaObject, id identity) bool {
	d.root = reflect.TypeOf(object).Elem()
	d.src.object = titleOf(root, id.kind)
	v, ok := d.value(root, d.root, "")
	if !ok {
		return false
	}
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, object)
	}
	if err != nil {
		d.report(root, "", fmt.Sprintf("cannot be read as a %s: %v", id.kind, err))
		return false
	}
	object.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(id.apiVersion, id.kind))
	return true
}

type metaObject interface{ GetObjectKind() schema.ObjectKind }

// other keeps an object of another kind as it is.
func (r *reader) other(d *decoder, root *yaml.Node, id identity) {
	v, ok := d.anything(root, "")
	content, isMap := v.(map[string]any)
	if !ok || !isMap {
		return
	}
	content["apiVersion"], content["kind"] = id.apiVersion, id.kind
	d.src.object = titleOf(root, id.kind)
	meta := child(root, "metadata")
	name := firstOf(child(meta, "name"), child(meta, "generateName"))
	switch {
	case meta != nil && meta.Kind == yaml.MappingNode && name != nil:
		d.note(name, "metadata.name")
		if _, ok := d.scalar(name, reflect.TypeFor[string](), "metadata.name"); !ok {
			return
		}
	default:
		d.validator().missing("metadata.name", "the name of the object")
		return
	}
	o := &unstructured.Unstructured{Object: content}
	r.set.Others = append(r.set.Others, o)
	r.keep(o, d.src)
}
