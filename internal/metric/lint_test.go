package metric_test

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

func TestLint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, query, want string }{
		{"a vector", `sum(rate(x{a="b"}[1m])) / 2`, ""},
		{"a scalar", `scalar(x)`, ""},
		{"an experimental function", `sum(mad_over_time(x[1m]))`, ""},
		{"a comment over several lines", "x # all\n+ y", ""},
		{"a bracket that is not closed", "sum(rate(x[1m])", `metric "m": query at 1:`},
		{"a problem on the third line", "sum(\n  rate(\n    x{a=b}[1m]))", `metric "m": query at 3:`},
		{"a function that does not exist", "summ(x)", `unknown function with name "summ"`},
		{"a rate without a window", "rate(x)", "expected type range vector"},
		{"a window that is no duration", "rate(x[1min])", `metric "m": query at 1:`},
		{"a range of samples", "x[1m]", "query: it answers a range vector; one number is needed, so it must be a scalar or an instant vector"},
		{"a text", `"x"`, "query: it answers a string; one number is needed"},
		{"a matcher that matches everything", `{a=~".*"}`, "must contain at least one non-empty matcher"},
		{"nothing", "", "no expression found in input"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := metric.Lint(metric.Check{Name: "m", Provider: "prometheus", Query: c.query})
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	err := metric.Lint(metric.Check{Name: "m", Provider: "statsd", Query: "x"})
	if want := `metric "m": metrics provider "statsd" is not supported; supported are ` + strings.Join(metric.Providers(), ", "); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
