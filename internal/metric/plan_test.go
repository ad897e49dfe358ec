package metric_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
)

func podinfo(metrics ...canary.Metric) *canary.Canary {
	return &canary.Canary{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "test"},
		Spec: canary.Spec{
			Provider: "kubernetes", TargetRef: canary.ObjectRef{Kind: "Deployment", Name: "podinfo"},
			Service: canary.Service{Name: "front"}, Analysis: &canary.Analysis{Metrics: metrics},
		},
	}
}

func templates(list ...canary.MetricTemplate) func(namespace, name string) (*canary.MetricTemplate, bool) {
	return func(namespace, name string) (*canary.MetricTemplate, bool) {
		for i := range list {
			if list[i].Namespace == namespace && list[i].Name == name {
				return &list[i], true
			}
		}
		return nil, false
	}
}

func template(namespace, name, query string) canary.MetricTemplate {
	return canary.MetricTemplate{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: canary.MetricTemplateSpec{
			Provider: canary.MetricProvider{Type: "prometheus", Address: "http://other:9090"}, Query: query,
		},
	}
}

func inputs(list ...canary.MetricTemplate) metric.Inputs {
	return metric.Inputs{Provider: "nginx", MetricsServer: "http://prometheus:9090", Templates: templates(list...)}
}

func atLeast(v float64) *canary.ThresholdRange { return &canary.ThresholdRange{Min: &v} }

func TestPlanOfABuiltin(t *testing.T) {
	t.Parallel()
	got, err := metric.Plan(podinfo(
		canary.Metric{Name: "request-success-rate", Interval: "90s", ThresholdRange: atLeast(99)},
		canary.Metric{Name: "request-duration", Threshold: ptr(500)},
	), inputs())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		golden(t, "builtin/planned-"+got[i].Name+".golden", got[i].Query+"\n")
		got[i].Query = ""
	}
	source := metric.Source{Address: "http://prometheus:9090"}
	want := []metric.Check{
		{Name: "request-success-rate", Provider: "prometheus", Source: source, Interval: 90 * time.Second, Min: ptr(99), Unit: "%", Means: "requests not answered by a 5xx"},
		{Name: "request-duration", Provider: "prometheus", Source: source, Interval: time.Minute, Max: ptr(500), Unit: "ms", Means: "99th percentile, as the app measures it"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if label := got[0].Label(); label != "request-success-rate at least 99 % (requests not answered by a 5xx)" {
		t.Error(label)
	}
}

func TestPlanOfATemplate(t *testing.T) {
	t.Parallel()
	const query = `{{ name }} {{ namespace }} {{ target }} {{ service }} {{ ingress }} {{ route }} {{ interval }} {{ variables.owner }}`
	shared := template("metrics", "errors", query)
	shared.Spec.Provider.SecretRef = &canary.SecretRef{Name: "login"}
	shared.Spec.Provider.Headers = map[string][]string{"X-Scope-OrgID": {"shop"}}
	shared.Spec.Provider.InsecureSkipVerify = true
	c := podinfo(canary.Metric{
		Name: "errors", TemplateRef: &canary.ObjectRef{Name: "errors", Namespace: "metrics"}, Threshold: ptr(1),
		TemplateVariables: map[string]string{"owner": "me"}, Interval: "1.5m",
	}, canary.Metric{Name: "own", TemplateRef: &canary.ObjectRef{Name: "own"}, ThresholdRange: &canary.ThresholdRange{Min: ptr(0), Max: ptr(1)}})
	c.Spec.IngressRef = &canary.ObjectRef{Name: "web"}
	c.Spec.RouteRef = &canary.ObjectRef{Name: "path"}
	got, err := metric.Plan(c, inputs(shared, template("test", "own", "vector(1)")))
	if err != nil {
		t.Fatal(err)
	}
	want := []metric.Check{{
		Name: "errors", Provider: "prometheus", Interval: 90 * time.Second, Max: ptr(1), Query: "shop test podinfo front web path 1m30s me",
		Source: metric.Source{Address: "http://other:9090", Headers: map[string][]string{"X-Scope-OrgID": {"shop"}}, InsecureSkipVerify: true},
		Secret: &metric.SecretRef{Namespace: "metrics", Name: "login"},
	}, {
		Name: "own", Provider: "prometheus", Interval: time.Minute, Min: ptr(0), Max: ptr(1), Query: "vector(1)",
		Source: metric.Source{Address: "http://other:9090"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlanOfAnInlineQuery(t *testing.T) {
	t.Parallel()
	c := podinfo(canary.Metric{Name: "latency", Query: "sum(x)", Threshold: ptr(2)})
	c.Spec.MetricsServer = "http://own:9090"
	got, err := metric.Plan(c, inputs())
	if err != nil {
		t.Fatal(err)
	}
	want := []metric.Check{{Name: "latency", Provider: "prometheus", Source: metric.Source{Address: "http://own:9090"}, Interval: time.Minute, Max: ptr(2), Query: "sum(x)"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestADeprecatedThresholdIsAMinimumForTheRateOfSuccessOnly(t *testing.T) {
	t.Parallel()
	got, err := metric.Plan(podinfo(
		canary.Metric{Name: "request-success-rate", Threshold: ptr(99)},
		canary.Metric{Name: "request-duration", Threshold: ptr(500)},
		canary.Metric{Name: "custom", Query: "x", Threshold: ptr(5)},
		canary.Metric{Name: "custom with both", Query: "x", Threshold: ptr(5), ThresholdRange: atLeast(1)},
	), inputs())
	if err != nil {
		t.Fatal(err)
	}
	bounds := make([][2]*float64, 0, len(got))
	for _, c := range got {
		bounds = append(bounds, [2]*float64{c.Min, c.Max})
	}
	if diff := cmp.Diff([][2]*float64{{ptr(99), nil}, {nil, ptr(500)}, {nil, ptr(5)}, {ptr(1), nil}}, bounds); diff != "" {
		t.Error(diff)
	}
}

func TestIntervalsAreWrittenAsPromQLReadsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "1m", "30s": "30s", "90s": "90s", "1m30s": "1m30s", "1h0m0s": "1h0m0s", "0.5h": "30m", "1.5m": "1m30s", "1d": "1d", "500ms": "500ms"} {
		got, err := metric.Plan(podinfo(canary.Metric{Name: "x", Query: "sum(rate(x[{{ interval }}]))", Interval: text, ThresholdRange: atLeast(1)}), inputs())
		if err != nil || len(got) != 1 || got[0].Query != "sum(rate(x["+want+"]))" || metric.Lint(got[0]) != nil {
			t.Errorf("%q: got %+v, %v, want %s", text, got, err, want)
		}
	}
}

func TestThePlanOfNoAnalysisIsEmpty(t *testing.T) {
	t.Parallel()
	c := podinfo()
	c.Spec.Analysis = nil
	if got, err := metric.Plan(c, metric.Inputs{}); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPlanReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	broken := template("test", "broken", "{{ variables.owner }}")
	broken.Spec.Provider = canary.MetricProvider{Type: "statsd", SecretRef: &canary.SecretRef{}}
	unaddressed := template("test", "unaddressed", "x")
	unaddressed.Spec.Provider.Address = ""
	hasty := template("test", "hasty", "x")
	hasty.Spec.Provider = canary.MetricProvider{Type: "dynatrace", Address: "https://u:p@dt"}
	nowhere := template("test", "nowhere", "[]")
	nowhere.Spec.Provider = canary.MetricProvider{Type: "cloudwatch"}
	c := podinfo(
		canary.Metric{Name: "request-success-rate", Interval: "soon", ThresholdRange: atLeast(101)},
		canary.Metric{Name: "request-duration"},
		canary.Metric{Name: "request-sucess-rate", ThresholdRange: atLeast(99)},
		canary.Metric{Name: "gone", TemplateRef: &canary.ObjectRef{Name: "gone", Namespace: "far"}, ThresholdRange: atLeast(1)},
		canary.Metric{Name: "broken", TemplateRef: &canary.ObjectRef{Name: "broken"}, ThresholdRange: &canary.ThresholdRange{Min: ptr(2), Max: ptr(1)}},
		canary.Metric{Name: "unaddressed", TemplateRef: &canary.ObjectRef{Name: "unaddressed"}, ThresholdRange: &canary.ThresholdRange{}},
		canary.Metric{Name: "hasty", TemplateRef: &canary.ObjectRef{Name: "hasty"}, ThresholdRange: atLeast(1)},
		canary.Metric{Name: "nowhere", TemplateRef: &canary.ObjectRef{Name: "nowhere"}, ThresholdRange: atLeast(1)},
		canary.Metric{Name: "two", Query: "x", TemplateRef: &canary.ObjectRef{Name: "unaddressed"}, ThresholdRange: atLeast(1)},
		canary.Metric{Name: "fine", Query: "x", ThresholdRange: atLeast(1)},
		canary.Metric{Name: "fine", Query: "x", ThresholdRange: atLeast(1)},
		canary.Metric{Query: "x", ThresholdRange: atLeast(1)},
	)
	c.Spec.Provider = "sluice"
	c.Spec.MetricsServer = "prometheus:9090"
	_, err := metric.Plan(c, inputs(broken, unaddressed, hasty, nowhere))
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "plan/problems.golden", err.Error()+"\n")
	if lines := strings.Count(err.Error(), "\n") + 1; lines < 15 || strings.Count(err.Error(), "metricsServer") != 1 {
		t.Errorf("%d problems only", lines)
	}
}
