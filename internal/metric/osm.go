package metric

// osm asks the metrics of Open Service Mesh.
var osm = observed{
	counter: "osm_request_total", bucket: "osm_request_duration_ms_bucket",
	canary:   `destination_namespace="{{ namespace }}",destination_kind="Deployment",destination_name="{{ target }}"`,
	failed:   `response_code=~"5.*"`,
	measures: "99th percentile, as the canary's proxy measures it",
	request: func(s Served) []Sample {
		labels := map[string]string{
			"destination_namespace": s.Namespace, "destination_kind": "Deployment", "destination_name": s.Workload, "destination_pod": s.Pod,
		}
		return append(measured(s, "osm_request_total", "osm_request_duration_ms", labels, "response_code"), app(s)...)
	},
}.builtin()
