package canary

import (
	"fmt"
	"strconv"
)

// Check reports, as a *ProblemsError, what is wrong between the objects of the set: two with the same kind, namespace
// and name, two canaries with one target or one Service, and comparisons that do not fit their canary. An empty namespace is a namespace of its own.
func (s *Set) Check() error {
	var out problems
	s.check(&out)
	return out.err()
}

func (s *Set) check(out *problems) {
	s.checkNames(out)
	s.checkComparisons(out)
	targets, services := map[string]*Canary{}, map[string]*Canary{}
	for _, c := range s.Canaries {
		ref := c.Spec.TargetRef
		if ref.Name == "" || ref.Kind == "" {
			continue
		}
		target := ref.Kind + " " + strconv.Quote(slash(c.Namespace, ref.Name))
		if first := claim(targets, target, c); first != nil {
			s.clash(out, c, "spec.targetRef", target, fmt.Sprintf("%s is already the target of the canary %q (%s); a workload can have only one canary",
				target, first.Name, s.where(first)))
			continue
		}
		service := slash(c.Namespace, c.ServiceName())
		if first := claim(services, service, c); first != nil {
			s.clash(out, c, "spec.service.name", c.ServiceName(), fmt.Sprintf("the Service %q is already that of the canary %q (%s); each canary needs its own",
				service, first.Name, s.where(first)))
		}
	}
}

// claim returns who else has a thing, other than a canary of the same name, which is reported as such.
func claim(taken map[string]*Canary, thing string, c *Canary) *Canary {
	first, ok := taken[thing]
	if !ok {
		taken[thing] = c
		return nil
	}
	if first.Name == c.Name {
		return nil
	}
	return first
}

// checkNames reports objects that are there twice.
func (s *Set) checkNames(out *problems) {
	seen := map[string]any{}
	visit := func(group, kind, namespace, name string, object any) {
		if name == "" {
			return
		}
		key := fmt.Sprintf("%s %s %q", group, kind, slash(namespace, name))
		first, ok := seen[key]
		if !ok {
			seen[key] = object
			return
		}
		s.clash(out, object, "metadata.name", name, fmt.Sprintf("%s %q is already defined (%s); remove one of the two",
			kind, slash(namespace, name), s.where(first)))
	}
	const group = "flagger.app"
	for _, c := range s.Canaries {
		visit(group, kindCanary, c.Namespace, c.Name, c)
	}
	for _, t := range s.Templates {
		visit(group, kindTemplate, t.Namespace, t.Name, t)
	}
	for _, p := range s.Providers {
		visit(group, kindProvider, p.Namespace, p.Name, p)
	}
	for _, x := range s.Comparisons {
		visit("penstock.dev", kindComparison, x.Namespace, x.Name, x)
	}
	for _, o := range s.Others {
		visit(o.GroupVersionKind().Group, o.GetKind(), o.GetNamespace(), o.GetName(), o)
	}
}

// clash reports a problem of an object with another one.
func (s *Set) clash(out *problems, object any, path, value, message string) {
	p := Problem{Path: path, Value: value, Message: message}
	if src := s.sources[object]; src != nil {
		at := src.find(path)
		p.File, p.Object, p.Line, p.Column = src.file, src.object, at.line, at.column
	}
	out.add(p)
}

func (s *Set) where(object any) string {
	file, line := s.Origin(object)
	if file == "" {
		return "read from the cluster"
	}
	return file + ":" + strconv.Itoa(line)
}

func slash(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
