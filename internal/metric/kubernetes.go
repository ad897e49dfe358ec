package metric

// kubernetes has no router with metrics: the app's own are asked, by Flagger's names (pkg/metrics/observers/http.go).
//
// The rate of success is counted from the failures. Flagger divides the successes by all requests, and when every
// request fails there are no successes to divide: it then sees no data where the answer is 0 %.
var kubernetes = Builtin{
	SuccessRate: `100 - 100 * (
  sum(rate(http_request_duration_seconds_count{kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ pods }}",status=~"5.*"}[{{ interval }}]))
  or
  0 * sum(rate(http_request_duration_seconds_count{kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ pods }}"}[{{ interval }}]))
) / sum(rate(http_request_duration_seconds_count{kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ pods }}"}[{{ interval }}]))`,

	Duration: `1000 * histogram_quantile(0.99,
  sum by (le) (rate(http_request_duration_seconds_bucket{kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ pods }}"}[{{ interval }}]))
)`,
	DurationMeans: "99th percentile, as the app measures it",

	Count: `sum(increase(http_request_duration_seconds_count{kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ pods }}"}[{{ interval }}]))`,

	Request:   app,
	ofPrimary: byTarget,
}
