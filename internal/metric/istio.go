package metric

// istio asks Istio's standard metrics as the sidecar or the waypoint of the canary reports them.
var istio = observed{
	counter: "istio_requests_total", bucket: "istio_request_duration_milliseconds_bucket",
	canary:   `reporter="destination",destination_workload_namespace="{{ namespace }}",destination_workload="{{ target }}"`,
	failed:   `response_code=~"5.*"`,
	measures: "99th percentile, as the canary's proxy measures it",
	request: func(s Served) []Sample {
		labels := map[string]string{
			"reporter": "destination", "destination_workload_namespace": s.Namespace, "destination_workload": s.Workload,
			"destination_service_name": s.side(), "request_protocol": "http",
		}
		return append(measured(s, "istio_requests_total", "istio_request_duration_milliseconds", labels, "response_code"), app(s)...)
	},
}.builtin()
