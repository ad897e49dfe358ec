package metric

import (
	"fmt"
	"strings"
)

// contour asks the metrics that Envoy has of the canary's Service, by Contour's names of Envoy's clusters.
var contour = envoy(`envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+"`, "-canary", func(s Served) map[string]string {
	return map[string]string{"envoy_cluster_name": fmt.Sprintf("%s_%s_%d", s.Namespace, s.side(), s.Port)}
})

// envoy makes the queries of a router that is made of Envoy, and labels its clusters in a way of its own.
//
// side is how the labels name the canary, where the primary has "-primary"; empty where the target's name differs.
func envoy(canary, side string, labels func(s Served) map[string]string) Builtin {
	return observed{
		counter: "envoy_cluster_upstream_rq", bucket: "envoy_cluster_upstream_rq_time_bucket",
		canary: canary, primary: strings.Replace(canary, side, strings.Replace(side, "canary", "primary", 1), 1), failed: `envoy_response_code=~"5.*"`, measures: "99th percentile, as Envoy measures it",
		request: func(s Served) []Sample {
			return append(measured(s, "envoy_cluster_upstream_rq", "envoy_cluster_upstream_rq_time", labels(s), "envoy_response_code"), app(s)...)
		},
	}.builtin()
}
