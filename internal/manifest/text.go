package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// RenderYAML returns objects as YAML documents, with the comment of each object above it and that of each rule above the
// rule.
func RenderYAML(objects []Object) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range objects {
		root, err := node(o)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		if o.Comment != "" {
			fmt.Fprintf(&out, "# %s\n", plain(o.Comment))
		}
		encoder := yaml.NewEncoder(&out)
		encoder.SetIndent(2)
		if err := encoder.Encode(root); err != nil {
			return nil, fmt.Errorf("render %T: %w", o.Body, err)
		}
		if err := encoder.Close(); err != nil {
			return nil, fmt.Errorf("render %T: %w", o.Body, err)
		}
	}
	return out.Bytes(), nil
}

// node is an object with its fields as kubectl sorts them, its lists of words on one line, and its comments.
func node(o Object) (*yaml.Node, error) {
	text, err := sigsyaml.Marshal(o.Body)
	if err != nil {
		return nil, fmt.Errorf("render %T: %w", o.Body, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("render %T: %w", o.Body, err)
	}
	object := root.Content[0]
	for i := 0; i < len(object.Content); i += 2 {
		if object.Content[i].Value == "rules" {
			for j, rule := range object.Content[i+1].Content {
				annotate(rule, o.Rules[j].Why)
			}
		}
	}
	return object, nil
}

func annotate(rule *yaml.Node, why []string) {
	lines := make([]string, 0, len(why))
	for _, text := range why {
		lines = append(lines, "# "+plain(text))
	}
	rule.HeadComment = strings.Join(lines, "\n")
	for _, value := range rule.Content {
		if value.Kind == yaml.SequenceNode {
			value.Style = yaml.FlowStyle
		}
	}
}

// plain keeps a comment on its line.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || slices.Contains([]rune{0x7f, 0x85, 0x2028, 0x2029}, r) {
			return ' '
		}
		return r
	}, text)
}

// RenderJSON returns objects as one List of JSON, as kubectl reads and prints it.
func RenderJSON(objects []Object) ([]byte, error) {
	items := make([]any, 0, len(objects))
	for _, o := range objects {
		items = append(items, o.Body)
	}
	body, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render a list of %d objects: %w", len(objects), err)
	}
	return append(body, '\n'), nil
}
