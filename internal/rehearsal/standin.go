package rehearsal

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
)

// Stage is what a rehearsal puts on the stage for a canary: its own objects, and stand-ins for what they lack.
type Stage struct {
	Objects   []*unstructured.Unstructured
	Container string // of the target, which gets the new version
	OldImage  string
	NewImage  string   // a version that does not exist: an app of the rehearsal runs it
	StandIns  []string // what is not the user's own, as sentences
}

// NewStage prepares a canary for a rehearsal. What it refers to and the files do not contain is stood in for; what the
// rehearsal has no use for is taken away from the canary, which is modified. Each is said in StandIns.
func NewStage(c *canary.Canary, objects []*unstructured.Unstructured, templates map[canary.ObjectRef]*canary.MetricTemplate) (*Stage, error) {
	s := &Stage{}
	s.provider(c)
	s.hooks(c)
	for _, o := range objects {
		if o.GetNamespace() == "" && !global(c, o) {
			o = o.DeepCopy()
			o.SetNamespace(c.Namespace)
		}
		if kept(c, o) {
			s.Objects = append(s.Objects, o)
		}
	}
	if err := s.target(c); err != nil {
		return nil, err
	}
	if err := s.configs(c); err != nil {
		return nil, err
	}
	s.autoscaler(c)
	if err := s.routes(c); err != nil {
		return nil, err
	}
	s.templates(c, templates)
	return s, nil
}

func (s *Stage) say(format string, args ...any) {
	s.StandIns = append(s.StandIns, fmt.Sprintf(format, args...))
}

// kept are the kinds of the user's objects that the embedded cluster serves.
func kept(c *canary.Canary, o *unstructured.Unstructured) bool {
	for _, k := range kindsOf(c.Spec.Provider) {
		if k.GVR().GroupVersion() == o.GroupVersionKind().GroupVersion() && k.Kind == o.GetKind() {
			return true
		}
	}
	return false
}

// global reports whether an object is of a kind that belongs to the whole cluster.
func global(c *canary.Canary, o *unstructured.Unstructured) bool {
	for _, k := range kindsOf(c.Spec.Provider) {
		if k.Group == o.GroupVersionKind().Group && k.Kind == o.GetKind() {
			return !k.Namespaced
		}
	}
	return false
}

func (s *Stage) provider(c *canary.Canary) {
	if c.Spec.Provider != "" {
		return
	}
	switch {
	case c.Knative():
		c.Spec.Provider = "knative"
	case c.Spec.IngressRef != nil:
		c.Spec.Provider = "nginx"
	default:
		c.Spec.Provider = "gatewayapi:v1"
	}
	s.say("spec.provider is not given: rehearsed with %s", c.Spec.Provider)
}

func (s *Stage) hooks(c *canary.Canary) {
	a := c.Spec.Analysis
	if a == nil {
		return
	}
	for _, alert := range a.Alerts {
		s.say("alert %q: not sent", alert.Name)
	}
	if len(a.Match) > 0 {
		s.say("spec.analysis.match: one user in ten stands for those that it selects")
	}
	_, problems := visits(c)
	for _, field := range problems {
		s.say("%s: no request that it selects could be made up, so nobody is tested by it", field)
	}
	a.Alerts = nil
}

func (s *Stage) find(kind, name string) *unstructured.Unstructured {
	return s.findIn("", kind, name)
}

// findIn is find for an API group that has a kind of a name that others have too; no group is any.
func (s *Stage) findIn(group, kind, name string) *unstructured.Unstructured {
	for _, o := range s.Objects {
		if o.GetKind() == kind && o.GetName() == name && (group == "" || o.GroupVersionKind().Group == group) {
			return o
		}
	}
	return nil
}

// findTarget finds the target of a canary.
func (s *Stage) findTarget(c *canary.Canary) *unstructured.Unstructured {
	ref := c.Spec.TargetRef
	return s.findIn(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group, ref.Kind, ref.Name)
}

func (s *Stage) add(object runtime.Object, gvk schema.GroupVersionKind) error {
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	o := &unstructured.Unstructured{Object: body}
	o.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(o.Object, "status")
	s.Objects = append(s.Objects, o)
	return nil
}

// routes stands in for what the router needs.
func (s *Stage) routes(c *canary.Canary) error {
	if standIn := routers[c.Spec.Provider].standIn; standIn != nil {
		return standIn(s, c)
	}
	return nil
}

// templates stands in for the MetricTemplates that the files do not contain: a check that cannot be rehearsed is taken
// out of the analysis rather than given an invented answer.
func (s *Stage) templates(c *canary.Canary, known map[canary.ObjectRef]*canary.MetricTemplate) {
	if c.Spec.Analysis == nil {
		return
	}
	var metrics []canary.Metric
	for _, m := range c.Spec.Analysis.Metrics {
		if m.TemplateRef != nil {
			ref := c.Locate(*m.TemplateRef)
			template := known[canary.ObjectRef{Namespace: ref.Namespace, Name: ref.Name}]
			if template == nil {
				s.say("metric %q: its MetricTemplate %q is not in the files, so the check is left out", m.Name, ref.Namespace+"/"+ref.Name)
				continue
			}
			kind := template.Spec.Provider.Type
			if _, err := metric.ProviderFor(kind); err == nil && kind != "prometheus" && kind != "load" {
				s.say("metric %q: a rehearsal answers queries in PromQL only, so the check of %s is left out", m.Name, kind)
				continue
			}
		}
		metrics = append(metrics, m)
	}
	c.Spec.Analysis.Metrics = metrics
}
