package canary

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// FromObject reads a Canary that came from a cluster, its status included. Fields that Penstock does not know are
// ignored, for a newer Flagger may have written them; everything else is checked as in a file, and comes back as a
// *ProblemsError.
func FromObject(u *unstructured.Unstructured) (*Canary, error) {
	c := new(Canary)
	if err := fromObject(u, kindCanary, c, func(v *validator) { validateCanary(v, c) }); err != nil {
		return nil, err
	}
	readStatus(u, &c.Status)
	return c, nil
}

// TemplateFromObject reads a MetricTemplate that came from a cluster, as FromObject does.
func TemplateFromObject(u *unstructured.Unstructured) (*MetricTemplate, error) {
	t := new(MetricTemplate)
	if err := fromObject(u, kindTemplate, t, func(v *validator) { validateTemplate(v, t) }); err != nil {
		return nil, err
	}
	readStatus(u, &t.Status)
	return t, nil
}

// ProviderFromObject reads an AlertProvider that came from a cluster, as FromObject does.
func ProviderFromObject(u *unstructured.Unstructured) (*AlertProvider, error) {
	p := new(AlertProvider)
	if err := fromObject(u, kindProvider, p, func(v *validator) { validateProvider(v, p) }); err != nil {
		return nil, err
	}
	readStatus(u, &p.Status)
	return p, nil
}

func fromObject(u *unstructured.Unstructured, kind string, object metaObject, validate func(*validator)) error {
	title := fmt.Sprintf("%s %q", kind, slash(u.GetNamespace(), u.GetName()))
	if u.GetKind() != kind || u.GetAPIVersion() != APIVersion {
		return fmt.Errorf("read %s: it is a %s of %s, not of %s", title, u.GetKind(), u.GetAPIVersion(), APIVersion)
	}
	var out problems
	d := &decoder{src: newSource(""), out: &out, lenient: true}
	if d.into(toNode(u.Object), object, identity{APIVersion, kind}) {
		validate(d.validator())
	}
	return out.err()
}

// toNode returns a value of an unstructured object as a tree that the decoder can walk.
func toNode(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, toNode(k), toNode(v[k]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, element := range v {
			n.Content = append(n.Content, toNode(element))
		}
		return n
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
	case int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v, 10)}
	case float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(v, 'g', -1, 64)}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: fmt.Sprint(value)}
}

// readStatus fills a status as far as it can be read. It is only a view of a rollout, so a strange one is no reason to
// refuse the resource.
func readStatus[T any](u *unstructured.Unstructured, status *T) {
	data, err := json.Marshal(u.Object["status"])
	var read T
	if err == nil && json.Unmarshal(data, &read) == nil {
		*status = read
	}
}
