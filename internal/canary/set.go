package canary

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// File is the content of a file, with the name that problems are reported under.
type File struct {
	Name string
	Data []byte
}

// Set is everything that was found in some files, in their order.
type Set struct {
	Canaries  []*Canary
	Templates []*MetricTemplate
	Providers []*AlertProvider
	Others    []*unstructured.Unstructured // every other object of Kubernetes

	Comparisons []*Comparison

	sources map[any]*source
}

// Parse reads the objects of files of YAML or JSON documents. Lists are unpacked. Unknown fields, wrong types and
// impossible combinations are problems; all problems of all files come back at once as a *ProblemsError, together with
// what could be read. What is right on its own is also checked against the rest (see Check). A status is ignored, and so
// are the files of kustomize, which are not objects.
func Parse(files []File) (Set, error) {
	r := reader{set: Set{sources: map[any]*source{}}}
	for _, f := range files {
		r.file(f)
	}
	r.set.check(&r.out)
	return r.set, r.out.err()
}

// Origin returns the file and the line from 1 where an object of the set begins, or nothing for an object that the set
// does not hold.
func (s *Set) Origin(object any) (file string, line int) {
	src, ok := s.sources[object]
	if !ok {
		return "", 0
	}
	return src.file, src.find("").line
}

// DefaultNamespace puts the canaries, templates, alert providers and comparisons without a namespace into ns. Check must follow: a
// name that was free may be taken there. The other objects are left alone, for some kinds have no namespace.
func (s *Set) DefaultNamespace(ns string) {
	for _, c := range s.Canaries {
		c.Namespace = or(c.Namespace, ns)
	}
	for _, t := range s.Templates {
		t.Namespace = or(t.Namespace, ns)
	}
	for _, p := range s.Providers {
		p.Namespace = or(p.Namespace, ns)
	}
	for _, x := range s.Comparisons {
		x.Namespace = or(x.Namespace, ns)
	}
}

// Template returns the template that a metric of a canary refers to, or nil when the set does not hold it, which is no
// error: it may be in the cluster.
func (s *Set) Template(c *Canary, m *Metric) *MetricTemplate {
	if m.TemplateRef == nil {
		return nil
	}
	ref := c.Locate(*m.TemplateRef)
	for _, t := range s.Templates {
		if t.Name == ref.Name && t.Namespace == ref.Namespace {
			return t
		}
	}
	return nil
}

// Provider returns the alert provider that an alert of a canary refers to, or nil when the set does not hold it.
func (s *Set) Provider(c *Canary, a *Alert) *AlertProvider {
	ref := c.Locate(a.ProviderRef)
	for _, p := range s.Providers {
		if p.Name == ref.Name && p.Namespace == ref.Namespace {
			return p
		}
	}
	return nil
}

// Locate returns the reference with the canary's namespace when it has none of its own.
func (c *Canary) Locate(ref ObjectRef) ObjectRef {
	ref.Namespace = or(ref.Namespace, c.Namespace)
	return ref
}

func or(text, fallback string) string {
	if text != "" {
		return text
	}
	return fallback
}
