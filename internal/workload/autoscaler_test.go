package workload_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// asServed parses an object with numbers as the API has them.
func asServed(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

func scalerFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "scaler", name, "scaler.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// scalerCase loads a canary and its live autoscaler, both changed where that is asked for.
func scalerCase(t testing.TB, name string, change ...string) (*canary.Canary, canary.Objects, workload.Scalers) {
	t.Helper()
	c := load[canary.Canary](t, "scaler", name, "canary.yaml")
	refs, err := workload.ScalersFor(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, canary.Objects{refs.Target: asServed(t, strings.NewReplacer(change...).Replace(scalerFile(t, name)))}, refs
}

func TestThePrimarysAutoscalerIsAsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"hpa", "hpa-bounds", "keda", "keda-queries"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, live, refs := scalerCase(t, name)
			before := live[refs.Target].DeepCopy()
			if err := workload.CheckScaler(c, live); err != nil {
				t.Error(err)
			}
			primary, err := workload.RenderPrimaryScaler(c, live)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("scaler", name, "primary.golden.yaml"), primary)
			if diff := cmp.Diff(before, live[refs.Target]); diff != "" {
				t.Errorf("the target's was modified:\n%s", diff)
			}
		})
	}
}

func TestACanaryThatNamesNoAutoscalerHasNone(t *testing.T) {
	t.Parallel()
	c := load[canary.Canary](t, "podinfo", "canary.yaml")
	refs, err := workload.ScalersFor(c)
	if err != nil || !refs.None() || len(refs.Refs()) > 0 {
		t.Errorf("%v, %v", refs, err)
	}
	if err := workload.CheckScaler(c, nil); err != nil {
		t.Error(err)
	}
	if primary, err := workload.RenderPrimaryScaler(c, nil); err != nil || primary != nil {
		t.Errorf("%v, %v", primary, err)
	}
	if patch := workload.PauseScaler(nil, rollout.ScaleZero); patch != nil || workload.ScalerText(nil, 2) != "" || workload.ScalerMin(nil) != 0 {
		t.Errorf("%s", patch)
	}
}

func TestAnAutoscalerThatCannotWorkIsRefusedByName(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(c *canary.Canary)
		want   string
	}{
		"a kind that is no autoscaler": {
			func(c *canary.Canary) { c.Spec.AutoscalerRef.Kind = "VerticalPodAutoscaler" },
			`spec.autoscalerRef.kind: "VerticalPodAutoscaler" is not supported; supported are HorizontalPodAutoscaler, ScaledObject`,
		},
		"an old API version": {
			func(c *canary.Canary) { c.Spec.AutoscalerRef.APIVersion = "autoscaling/v2beta2" },
			`spec.autoscalerRef.apiVersion: "autoscaling/v2beta2" is not supported for a HorizontalPodAutoscaler; write autoscaling/v2`,
		},
		"a target without replicas": {
			func(c *canary.Canary) { c.Spec.TargetRef.Kind = "DaemonSet" },
			`spec.autoscalerRef: a DaemonSet has no number of replicas that HorizontalPodAutoscaler "podinfo-hpa" could set; remove it`,
		},
		"a name that leaves no room for the primary's": {
			func(c *canary.Canary) { c.Spec.AutoscalerRef.Name = strings.Repeat("a", 250) }, "the name is not possible",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load[canary.Canary](t, "scaler", "hpa", "canary.yaml")
			test.change(c)
			if _, err := workload.ScalersFor(c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestALiveAutoscalerThatCannotWorkIsSaidBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		of     string
		change []string
		want   string // empty: it can work
	}{
		"it scales another workload": {
			"hpa", []string{"name: podinfo}\n  minReplicas", "name: other}\n  minReplicas"},
			`HorizontalPodAutoscaler "shop/podinfo-hpa": spec.scaleTargetRef is Deployment "other", not the canary's target Deployment "podinfo"`,
		},
		"an HPA that scales to zero": {
			"hpa", []string{"minReplicas: 2", "minReplicas: 0"},
			`spec.minReplicas is 0, so a canary without traffic would be scaled down before its analysis; set it to 1 or more`,
		},
		"an HPA that names no minimum": {"hpa", []string{"  minReplicas: 2\n", ""}, ""},
		"a ScaledObject that names no minimum": {
			"keda", []string{"  minReplicaCount: 1\n", ""}, `spec.minReplicaCount is 0`,
		},
		"a ScaledObject that idles": {
			"keda", []string{"  minReplicaCount: 1\n", "  minReplicaCount: 1\n  idleReplicaCount: 0\n"}, `spec.idleReplicaCount is 0`,
		},
		"a ScaledObject of a Deployment by default": {"keda", []string{"{name: podinfo,", "{kind: Deployment, name: podinfo,"}, ""},
		"a query for a trigger that is not there": {
			"keda-queries", []string{"name: latency,", "name: delay,"},
			`spec.autoscalerRef.primaryScalerQueries: no trigger is called latency; its triggers are "requests", "delay"`,
		},
		"a query that names both sides": {
			"keda", []string{`pod=~"podinfo-.*"`, `pod=~"podinfo-.*",pod!~"podinfo-primary-.*"`},
			`spec.triggers[0].metadata.query: it names both "podinfo" and "podinfo-primary", so the primary's query cannot be derived; ` +
				`give the primary's in spec.autoscalerRef.primaryScalerQueries`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, live, _ := scalerCase(t, test.of, test.change...)
			err := workload.CheckScaler(c, live)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestWhatIsMissingCrossedOrSomebodyElsesIsAnError(t *testing.T) {
	t.Parallel()
	c, live, refs := scalerCase(t, "hpa")
	err := workload.CheckScaler(c, nil)
	if want := `spec.autoscalerRef: HorizontalPodAutoscaler "podinfo-hpa" does not exist in namespace "shop"`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	c.Spec.AutoscalerRef.PrimaryScalerReplicas = &canary.ScalerReplicas{MinReplicas: new(int32(11))}
	err = workload.CheckScaler(c, live)
	if err == nil || !strings.Contains(err.Error(), "spec.minReplicas is 11, above spec.maxReplicas, which is 10") {
		t.Errorf("crossed bounds: %v", err)
	}
	c.Spec.AutoscalerRef.PrimaryScalerReplicas = nil
	live[refs.Primary] = refs.Primary.New()
	live[refs.Primary].SetAnnotations(map[string]string{workload.CanaryAnnotation: "other"})
	if err = workload.CheckScaler(c, live); err == nil || !strings.Contains(err.Error(), `was made for Canary "other"`) {
		t.Errorf("the primary's autoscaler of another canary: %v", err)
	}
}

func TestASingleQueryNeedsNoNameWhenThereIsASingleTrigger(t *testing.T) {
	t.Parallel()
	c, live, _ := scalerCase(t, "keda")
	c.Spec.AutoscalerRef.PrimaryScalerQueries = map[string]string{"requests": "the_primarys"}
	primary, err := workload.RenderPrimaryScaler(c, live)
	if err != nil {
		t.Fatal(err)
	}
	triggers, _, _ := unstructured.NestedSlice(primary.Object, "spec", "triggers")
	if got, _, _ := unstructured.NestedString(triggers[0].(map[string]any), "metadata", "query"); got != "the_primarys" {
		t.Errorf("the query is %s", got)
	}
}
