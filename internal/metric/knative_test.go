package metric_test

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
)

func TestTheRevisionOfAKnativeServiceIsFilledInLate(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{}
	c.Name, c.Namespace, c.Spec.Provider = "podinfo", "shop", "knative"
	c.Spec.TargetRef = canary.ObjectRef{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: "podinfo"}
	c.Spec.Analysis = &canary.Analysis{Metrics: []canary.Metric{
		{Name: metric.SuccessRate, ThresholdRange: &canary.ThresholdRange{}, Interval: "1m"},
		{Name: "own", Query: `sum(rate(requests{revision="{{ route }}"}[{{ interval }}]))`, ThresholdRange: &canary.ThresholdRange{}},
	}}
	low := 1.0
	for i := range c.Spec.Analysis.Metrics {
		c.Spec.Analysis.Metrics[i].ThresholdRange.Min = &low
	}
	checks, err := metric.Plan(c, metric.Inputs{MetricsServer: "http://prometheus:9090", MinRequests: 5})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`envoy_cluster_name="shop/podinfo-00002"`, `revision="podinfo-00002"`} {
		if err := metric.Lint(checks[i]); err != nil {
			t.Errorf("before the Revision is known: %v", err)
		}
		if got := checks[i].Of("podinfo-00002").Query; !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
		if late := checks[i].Of(""); late.Query != checks[i].Query || strings.Contains(late.Query, "podinfo-0") {
			t.Errorf("without a Revision: %s", late.Query)
		}
	}
	if got := checks[0].Of("podinfo-00002").Count; !strings.Contains(got, `envoy_cluster_name="shop/podinfo-00002"`) {
		t.Errorf("the number of requests: %s", got)
	}
}
