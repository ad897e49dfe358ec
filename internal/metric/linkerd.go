package metric

import "strconv"

// linkerd asks the metrics of the canary's own proxy. A failure is what Linkerd classifies as one: a 5xx, or the status
// of a gRPC answer.
var linkerd = observed{
	counter: "response_total", bucket: "response_latency_ms_bucket",
	canary:   `namespace="{{ namespace }}",deployment="{{ target }}",direction="inbound"`,
	failed:   `classification="failure"`,
	measures: "99th percentile, as the canary's proxy measures it",
	request: func(s Served) []Sample {
		labels := map[string]string{"namespace": s.Namespace, "deployment": s.Workload, "pod": s.Pod, "direction": "inbound", "classification": "success"}
		if s.Status >= 500 {
			labels["classification"] = "failure"
		}
		labels["status_code"] = strconv.Itoa(s.Status)
		return append(measured(s, "response_total", "response_latency_ms", labels, "status_code"), app(s)...)
	},
}.builtin()
