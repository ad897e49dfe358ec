package metric_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func TestTheDocumentHasEveryProviderWithAnExampleThatWorks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]*canary.MetricTemplate{}
	for _, m := range yamlBlock.FindAllSubmatch(text, -1) {
		set, err := canary.Parse([]canary.File{{Name: "metrics.md", Data: m[1]}})
		if err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
		for _, template := range set.Templates {
			examples[template.Spec.Provider.Type] = template
		}
	}
	for _, kind := range metric.Providers() {
		template := examples[kind]
		if template == nil {
			t.Errorf("%s has no example", kind)
			continue
		}
		row := regexp.MustCompile("(?m)^\\| `" + kind + "` \\|.*$").FindString(string(text))
		for _, key := range provider(t, kind).Needs.Keys {
			if !strings.Contains(row, "`"+key+"`") {
				t.Errorf("the row of %s lacks the key %s: %s", kind, key, row)
			}
		}
		if row == "" {
			t.Errorf("%s is not in the table", kind)
		}
		c := podinfo(canary.Metric{Name: kind, Interval: "2m", ThresholdRange: atLeast(1), TemplateRef: &canary.ObjectRef{Name: kind}})
		checks, err := metric.Plan(c, inputs(*template))
		if err != nil || len(checks) != 1 {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if err := metric.Lint(checks[0]); err != nil {
			t.Error(err)
		}
	}
}
