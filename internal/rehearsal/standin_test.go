package rehearsal

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// staged is a canary of a target of this kind, ready to be put on the stage.
func staged(kind string) *canary.Canary {
	c := &canary.Canary{}
	c.Name, c.Namespace = "agent", "shop"
	c.Spec.Provider = "kubernetes"
	c.Spec.TargetRef = canary.ObjectRef{APIVersion: "apps/v1", Kind: kind, Name: "agent"}
	c.Spec.Service.Port = 80
	return c
}

func TestATargetThatTheFilesDoNotHaveIsStoodInForByOneOfItsKind(t *testing.T) {
	t.Parallel()
	for kind, size := range map[string]string{"Deployment": "2 replicas", "DaemonSet": "on 2 nodes"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, err := NewStage(staged(kind), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if o := s.find(kind, "agent"); o == nil || o.GetAPIVersion() != "apps/v1" {
				t.Fatalf("the objects are %v", s.Objects)
			}
			want := []string{kind + ` "agent": an app of the rehearsal in the manner of podinfo, ` + size}
			if diff := cmp.Diff(want, s.StandIns); diff != "" {
				t.Error(diff)
			}
			if s.Container != "agent" || s.OldImage != "agent:1.0.0" || s.NewImage != "agent:1.0.1" {
				t.Errorf("container %q from %q to %q", s.Container, s.OldImage, s.NewImage)
			}
		})
	}
}

func TestTheNodesHaveWhatADaemonSetSelectsThemBy(t *testing.T) {
	t.Parallel()
	target := fromYAML(t, `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent, namespace: shop}, spec: {selector: {matchLabels: {app: agent}},
  template: {metadata: {labels: {app: agent}}, spec: {nodeSelector: {zone: a, disk: ssd, flagger.app/scale-to-zero: "true"}, containers: [{name: agent, image: "agent:1"}]}}}}`)
	s, err := NewStage(staged("DaemonSet"), []*unstructured.Unstructured{target}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"zone": "a", "disk": "ssd"}, nodeSelector(s.find("DaemonSet", "agent"))); diff != "" {
		t.Error(diff)
	}
	want := []string{
		`the containers of DaemonSet "agent": an app of the rehearsal answers in their place`,
		"label disk=ssd: both nodes have it", "label zone=a: both nodes have it",
	}
	if diff := cmp.Diff(want, s.StandIns); diff != "" {
		t.Error(diff)
	}
}

func TestAServiceCannotBeRehearsed(t *testing.T) {
	t.Parallel()
	_, err := NewStage(staged("Service"), nil, nil)
	if err == nil || !strings.Contains(err.Error(), `spec.targetRef.kind: Service "agent" has no pods of its own`) {
		t.Errorf("got %v", err)
	}
	if s, err := NewStage(staged("StatefulSet"), nil, nil); err != nil || len(s.Objects) > 0 {
		t.Errorf("what no version can roll out is for the compiler to refuse: %v, %v", s, err)
	}
}

func TestAChecksProviderThatCannotBeRehearsedIsLeftOut(t *testing.T) {
	t.Parallel()
	c := staged("Deployment")
	known := map[canary.ObjectRef]*canary.MetricTemplate{}
	c.Spec.Analysis = &canary.Analysis{}
	for _, kind := range []string{"prometheus", "datadog", "statsd"} {
		template := &canary.MetricTemplate{}
		template.Spec.Provider.Type = kind
		known[canary.ObjectRef{Namespace: "shop", Name: kind}] = template
		c.Spec.Analysis.Metrics = append(c.Spec.Analysis.Metrics, canary.Metric{Name: kind, TemplateRef: &canary.ObjectRef{Name: kind}})
	}
	s, err := NewStage(c, nil, known)
	if err != nil {
		t.Fatal(err)
	}
	left := c.Spec.Analysis.Metrics
	if len(left) != 2 || left[0].Name != "prometheus" || left[1].Name != "statsd" { // the compiler refuses the unknown one
		t.Errorf("left are %v", left)
	}
	want := `metric "datadog": a rehearsal answers queries in PromQL only, so the check of datadog is left out`
	if !slices.Contains(s.StandIns, want) {
		t.Errorf("got %q, want %s", s.StandIns, want)
	}
}
