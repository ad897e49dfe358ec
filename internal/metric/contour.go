package metric

import "fmt"

// contour asks the metrics that Envoy has of the canary's Service, by Contour's names of Envoy's clusters.
var contour = envoy(`envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+"`, func(s Served) map[string]string {
	return map[string]string{"envoy_cluster_name": fmt.Sprintf("%s_%s_%d", s.Namespace, s.side(), s.Port)}
})

// envoy makes the queries of a router that is made of Envoy, and labels its clusters in a way of its own.
func envoy(canary string, labels func(s Served) map[string]string) Builtin {
	return observed{
		counter: "envoy_cluster_upstream_rq", bucket: "envoy_cluster_upstream_rq_time_bucket",
		canary: canary, failed: `envoy_response_code=~"5.*"`, measures: "99th percentile, as Envoy measures it",
		request: func(s Served) []Sample {
			return append(measured(s, "envoy_cluster_upstream_rq", "envoy_cluster_upstream_rq_time", labels(s), "envoy_response_code"), app(s)...)
		},
	}.builtin()
}
