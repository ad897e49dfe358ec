package metric_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/metric"
)

func vars() metric.Vars {
	return metric.Vars{
		Name: "shop", Namespace: "test", Target: "podinfo", Service: "front", Ingress: "web", Route: "path", Interval: "90s",
		Variables: map[string]string{"direction": "inbound"},
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, query, want, err string }{
		{
			name:  "every function of Flagger is there",
			query: `{{ name }} {{namespace}} {{ target }} {{ service }} {{ ingress }} {{ route }} {{ interval }} {{ variables.direction }}`,
			want:  "shop test podinfo front web path 90s inbound",
		},
		{name: "space around a query is dropped and space within is kept", query: "\n  sum(x)\n# why\n/ y \n", want: "sum(x)\n# why\n/ y"},
		{name: "conditions work", query: `x{{ if eq namespace "test" }}{a="b"}{{ else }}{}{{ end }}`, want: `x{a="b"}`},
		{name: "a loop over the variables works", query: `{{ range $k, $v := variables }}{{ $k }}={{ $v }}{{ end }}`, want: "direction=inbound"},
		{name: "a variable that is not set is an error", query: `{{ variables.owner }}`, err: `map has no entry for key "owner"`},
		{
			name: "a function that does not exist is an error that lists the others", query: "\n{{ cluster }}",
			err: `template line 2: function "cluster" not defined; available are ingress, interval, name, namespace, route, service, target, variables`,
		},
		{name: "nor is the other", query: `{{ word namespace }}`, err: `function "word" not defined`},
		{name: "the builtins' own function is not for everybody", query: `{{ pods }}`, err: `function "pods" not defined`},
		{name: "an open action is an error", query: `{{ name`, err: "template line 1: unclosed action"},
		{name: "an empty query is an error", query: " \n", err: "the query is empty"},
		{name: "a query that renders to nothing is an error", query: `{{ if false }}x{{ end }}`, err: "the query is empty"},
		{name: "a field of nothing is an error", query: `{{ .Name }}`, err: "template line 1"},
		{name: "a long template is refused", query: strings.Repeat("x", 64<<10+1), err: "the query has 65537 bytes, more than 65536"},
		{name: "a long result is refused", query: strings.Repeat(`{{ printf "%01000d" 1 }}`, 70), err: "the rendered query has more than 65536 bytes"},
		{name: "a loop over a number is refused", query: `{{ range 1000000000 }}{{ end }}`, err: "line 1: a query template can range over variables only"},
		{
			name: "a loop in a loop is refused", query: `{{ range variables }}{{ if true }}{{ range variables }}{{ end }}{{ end }}{{ end }}`,
			err: "not within another range",
		},
		{name: "a template in a template is refused", query: `{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`, err: "cannot define other templates"},
		{name: "a call of another template is refused", query: `{{ if true }}{{ template "query" }}{{ end }}`, err: "line 1: a query template cannot call other templates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := metric.Render(c.query, vars())
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got error %v, want %q", err, c.err)
			}
		})
	}
}

func FuzzRenderEndsAndNeverPanics(f *testing.F) {
	f.Add(`{{ range variables }}{{ . }}{{ end }}`)
	f.Add(`{{ with variables }}{{ .direction }}{{ end }}`)
	f.Fuzz(func(t *testing.T, query string) {
		got, err := metric.Render(query, vars())
		if err == nil && (got == "" || len(got) > 64<<10) {
			t.Errorf("a query of %d bytes", len(got))
		}
	})
}
