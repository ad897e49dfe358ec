package workload_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/workload"
)

func TestAQueryIsRewrittenByWholeNames(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`up{app="podinfo"}`:                                         `up{app="podinfo-primary"}`,
		`up{app='podinfo'}`:                                         `up{app='podinfo-primary'}`,
		`up{app="podinfo-canary"}`:                                  `up{app="podinfo-primary"}`,
		`up{app="podinfo-primary"}`:                                 `up{app="podinfo-primary"}`,
		`up{cluster="test_podinfo-canary_80"}`:                      `up{cluster="test_podinfo-primary_80"}`,
		`up{cluster="test_podinfo_80"}`:                             `up{cluster="test_podinfo-primary_80"}`,
		`up{pod=~"podinfo-.*"}`:                                     `up{pod=~"podinfo-primary-.*"}`,
		`up{pod=~"podinfo-[0-9a-z]+-[0-9a-z]+"}`:                    `up{pod=~"podinfo-primary-[0-9a-z]+-[0-9a-z]+"}`,
		`up{pod=~"^podinfo\\-.*"}`:                                  `up{pod=~"^podinfo-primary\\-.*"}`,
		`up{pod=~"a\"podinfo_x"} podinfo_total`:                     `up{pod=~"a\"podinfo-primary_x"} podinfo_total`,
		"up{app=~`podinfo\\`} podinfo_total":                        "up{app=~`podinfo-primary\\`} podinfo_total",
		`up{app="podinfo-db",b="podinfo2",c="my-podinfo"}`:          `up{app="podinfo-db",b="podinfo2",c="my-podinfo"}`,
		`sum(podinfo_requests_total{app="podinfo"})`:                `sum(podinfo_requests_total{app="podinfo-primary"})`,
		`avg:nginx.net.request_per_s{service:podinfo}`:              `avg:nginx.net.request_per_s{service:podinfo-primary}`,
		`stats.counters.podinfo.requests`:                           `stats.counters.podinfo-primary.requests`,
		`up{service="shop-canary"} / up{service="shop"}`:            `up{service="shop-primary"} / up{service="shop"}`,
		`up{a="podinfo",service="shop-canary",s="workshop-canary"}`: `up{a="podinfo-primary",service="shop-primary",s="workshop-canary"}`,
		`up{host="podinfo.shop.svc",n="podinfo-podinfo"}`:           `up{host="podinfo-primary.shop.svc",n="podinfo-podinfo"}`,
		`vector(1)`: `vector(1)`,
		``:          ``,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			c, live, refs := scalerCase(t, "keda")
			triggers := []any{map[string]any{"type": "prometheus", "metadata": map[string]any{"query": query}}}
			if err := unstructured.SetNestedSlice(live[refs.Target].Object, triggers, "spec", "triggers"); err != nil {
				t.Fatal(err)
			}
			primary, err := workload.RenderPrimaryScaler(c, live)
			if err != nil {
				t.Fatal(err)
			}
			triggers, _, _ = unstructured.NestedSlice(primary.Object, "spec", "triggers")
			if got, _, _ := unstructured.NestedString(triggers[0].(map[string]any), "metadata", "query"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
