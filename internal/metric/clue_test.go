package metric_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/metric"
)

func TestCluesAreWhatAQueryCannotDoWithout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, query string
		want        []string
	}{
		{"a metric", `x`, []string{`count(x)`}},
		{"a metric and its labels, in their order", `sum(rate(x{b="1",a=~"2.*"}[1m]))`, []string{`count(x)`, `count(x{b!=""})`, `count(x{a!=""})`}},
		{"a matcher that an absent label matches needs none", `x{a!="1",b=~".*",c="",d!~"5.."}`, []string{`count(x)`}},
		{"a matcher for any value is known not to match all series", `x{a!=""}`, []string{`count(x)`}},
		{"both sides of a division", `x / on(a) group_left y{b="1"}`, []string{`count(x)`, `count(y)`, `count(y{b!=""})`}},
		{"nothing twice", `x{a="1"} / x{a="2"}`, []string{`count(x)`, `count(x{a!=""})`}},
		{"either of two metrics", `(x{a="1"} or y)`, []string{`count(x) or count(y)`}},
		{"one of three metrics", `x or y or z`, []string{`count(x) or count(y) or count(z)`}},
		{"what both alternatives need", `x{a="1",b="1"} or 0 * x{a="1"}`, []string{`count(x)`, `count(x{a!=""})`}},
		{"an alternative that is always there", `sum(x) or vector(0)`, nil},
		{"an alternative on the left", `vector(0) or x`, nil},
		{"a division by what may be absent", `(sum(x) or vector(0)) / sum(y)`, []string{`count(y)`}},
		{"an exception is not needed", `x unless y`, []string{`count(x)`}},
		{"a condition is needed", `x and y`, []string{`count(x)`, `count(y)`}},
		{"a side that is filled is not needed", `x + fill_right(0) y`, []string{`count(x)`}},
		{"another side that is filled", `x + fill_left(0) y`, []string{`count(y)`}},
		{"both sides filled", `x + fill(0) y`, []string{`count(x) or count(y)`}},
		{"absence needs nothing", `absent(x{a="1"}) + absent_over_time(y[5m])`, nil},
		{"functions with several arguments", `histogram_quantile(0.99, sum by (le) (rate(x_bucket[1m])))`, []string{`count(x_bucket)`}},
		{"a sign, a subquery and a parameter", `-topk(scalar(z), max_over_time(rate(x[1m])[5m:1m]))`, []string{`count(x)`}},
		{"what is asked of another time", `x - x offset 1w`, []string{`count(x)`}},
		{"only of another time", `x offset 1w / (y @ 1764000000) / sum_over_time(z[1m:1s] offset 5m)`, nil},
		{"a name that is a pattern", `{__name__=~"a|b"}`, nil},
		{"no name", `{job="a"}`, nil},
		{"a name among the matchers", `{__name__="x",a="1"}`, []string{`count(x)`, `count(x{a!=""})`}},
		{"names in UTF-8", `{"my.metric","my.label"="1"}`, []string{`count({"my.metric"})`, `count({"my.metric","my.label"!=""})`}},
		{"the canary of ingress-nginx before its first request", `nginx_ingress_controller_requests{canary=~".+",ingress="a"}`, []string{
			`count(nginx_ingress_controller_requests)`, `count(nginx_ingress_controller_requests{ingress!=""})`,
		}},
		{"numbers", `1 + 2`, nil},
		{"what cannot be read", `sum(`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, clue := range prometheus(t).Clues(c.query) {
				got = append(got, clue.Query)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCluesSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	got := prometheus(t).Clues(`sum(http_requests_total{namepsace="a"}) / (sum(b) or sum(c))`)
	want := []metric.Clue{
		{
			Query: `count(http_requests_total)`, Past: `count(last_over_time(http_requests_total[1d]))`, Metric: "http_requests_total",
			Says: `Prometheus has no metric "http_requests_total"`,
		}, {
			Query: `count(http_requests_total{namepsace!=""})`, Past: `count(last_over_time(http_requests_total{namepsace!=""}[1d]))`,
			Metric: "http_requests_total", Label: "namepsace", Says: `no series of "http_requests_total" has the label "namepsace"`,
		}, {
			Query: `count(b) or count(c)`, Past: `count(last_over_time(b[1d])) or count(last_over_time(c[1d]))`,
			Says: `Prometheus has no metric "b", and Prometheus has no metric "c"`,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAQueryOfHundredsOfMetricsHasAFewClues(t *testing.T) {
	t.Parallel()
	names := make([]string, 500)
	for i := range names {
		names[i] = fmt.Sprintf("x%d", i)
	}
	if got := len(prometheus(t).Clues(strings.Join(names, "+"))); got != 20 {
		t.Errorf("%d clues", got)
	}
}

func FuzzCluesCanBeAsked(f *testing.F) {
	for _, provider := range metric.Builtins() {
		b, err := metric.BuiltinFor(provider)
		if err != nil {
			f.Fatal(err)
		}
		for _, query := range []string{b.SuccessRate, b.Duration, b.Count} {
			text, err := metric.Render(strings.NewReplacer("{{ pods }}", "podinfo-.*", "{{ word ", "{{ ").Replace(query), vars())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	for _, query := range []string{`{"my.metric","a b"="1"}`, `x or y unless z`, `info(x, {a="1"})`, `x{a=~"1|"} + fill(0) y`, `{__name__="a\"b",c="\n"}`} {
		f.Add(query)
	}
	p, err := metric.ProviderFor("prometheus")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, clue := range p.Clues(query) {
			for _, text := range []string{clue.Query, clue.Past} {
				if err := p.Lint(text); err != nil {
					t.Errorf("%q: the clue %q: %v", query, text, err)
				}
			}
			if clue.Says == "" {
				t.Errorf("%q: the clue %q says nothing", query, clue.Query)
			}
		}
	})
}
