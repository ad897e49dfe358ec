package metric

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

const (
	maxTemplate = 64 << 10 // bytes of a query before it is rendered
	maxQuery    = 64 << 10 // and after
)

// Vars are the values that a query template can use, by Flagger's names.
type Vars struct {
	Name      string            // of the canary
	Namespace string            // of the canary
	Kind      string            // spec.targetRef.kind
	Target    string            // spec.targetRef.name
	Service   string            // the apex Service
	Ingress   string            // spec.ingressRef.name, or the target's name
	Route     string            // spec.routeRef.name, or the target's name; of a Knative Service its newest Revision
	Interval  string            // the metric's window, as PromQL writes it: 1m, 90s
	Variables map[string]string // templateVariables of the metric
}

func (v Vars) functions() template.FuncMap {
	return template.FuncMap{
		"name":      func() string { return v.Name },
		"namespace": func() string { return v.Namespace },
		"target":    func() string { return v.Target },
		"service":   func() string { return v.Service },
		"ingress":   func() string { return v.Ingress },
		"route":     func() string { return v.Route },
		"interval":  func() string { return v.Interval },
		"variables": func() map[string]string { return v.Variables },
	}
}

// Render fills in a query template, such as rate(requests{namespace="{{ namespace }}"}[{{ interval }}]). A variable that
// is not set and a function that does not exist are errors. It always ends: templates that could run for long are
// refused, and so is a query of more than 64 KiB.
func Render(query string, v Vars) (string, error) { return render(query, v.functions()) }

// renderBuiltin knows two functions more: pods, a pattern for the names of the target's pods, and word, which writes a name
// as Skipper does.
func renderBuiltin(query string, v Vars) (string, error) {
	functions := v.functions()
	functions["pods"], functions["word"] = v.pods, word
	return render(query, functions)
}

// pods is a pattern for the names of the target's pods that those of <target>-primary do not match: two parts follow the
// name of a Deployment, one that of a DaemonSet. A dot would match any character; [.] needs no escape in a PromQL string.
func (v Vars) pods() (string, error) {
	name := strings.ReplaceAll(v.Target, ".", "[.]")
	switch v.Kind {
	case "DaemonSet":
		return name + "-[0-9a-zA-Z]+", nil
	case "Service":
		return "", errors.New("it is asked by the names of the target's pods, which a Service does not tell; use a templateRef")
	}
	return name + "-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)", nil
}

func render(query string, functions template.FuncMap) (string, error) {
	if len(query) > maxTemplate {
		return "", fmt.Errorf("the query has %d bytes, more than %d", len(query), maxTemplate)
	}
	t, err := template.New("query").Option("missingkey=error").Funcs(functions).Parse(query)
	if err != nil {
		return "", explainTemplate(err, functions)
	}
	if len(t.Templates()) > 1 {
		return "", errors.New("a query template cannot define other templates")
	}
	if t.Tree != nil && t.Root != nil {
		if err := bounded(t.Root, false); err != nil {
			return "", err
		}
	}
	out := &limited{left: maxQuery}
	if err := t.Execute(out, nil); err != nil {
		return "", explainTemplate(err, functions)
	}
	text := strings.TrimSpace(out.String())
	if text == "" {
		return "", errors.New("the query is empty")
	}
	return text, nil
}

// bounded refuses what could make a template run for long without writing anything: nested loops, loops over numbers,
// and templates that call templates.
func bounded(n parse.Node, loop bool) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := bounded(child, loop); err != nil {
				return err
			}
		}
	case *parse.RangeNode:
		if loop || len(n.Pipe.Cmds) != 1 || n.Pipe.Cmds[0].String() != "variables" {
			return fmt.Errorf("line %d: a query template can range over variables only, and not within another range", n.Line)
		}
		return branches(&n.BranchNode, true)
	case *parse.IfNode:
		return branches(&n.BranchNode, loop)
	case *parse.WithNode:
		return branches(&n.BranchNode, loop)
	case *parse.TemplateNode:
		return fmt.Errorf("line %d: a query template cannot call other templates", n.Line)
	}
	return nil
}

func branches(n *parse.BranchNode, loop bool) error {
	return errors.Join(bounded(n.List, loop), bounded(n.ElseList, loop))
}

// explainTemplate drops the parts of the template package's messages that mean nothing to the author of a query.
func explainTemplate(err error, functions template.FuncMap) error {
	if errors.Is(err, errTooLong) {
		return errTooLong
	}
	text := strings.TrimPrefix(err.Error(), "template: query:")
	if strings.Contains(text, "not defined") {
		names := slices.Sorted(maps.Keys(functions))
		names = slices.DeleteFunc(names, func(name string) bool { return name == "pods" || name == "word" })
		return fmt.Errorf("template line %s; available are %s", text, strings.Join(names, ", "))
	}
	return fmt.Errorf("template line %s", text)
}

var errTooLong = fmt.Errorf("the rendered query has more than %d bytes", maxQuery)

// limited is a buffer that refuses to grow beyond a size.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}
