package metric

import (
	"fmt"
	"strconv"
)

// apisix asks the metrics that APISIX has of the canary's route, by its name: the prometheus plugin needs prefer_name.
//
// APISIX splits within one route and its metrics do not name the Service, so that the primary's answers are in them too. At
// small weights the failures of the canary are diluted by them; thresholds must allow for that, or a MetricTemplate must
// ask the app.
var apisix = func() Builtin {
	b := observed{
		counter: "apisix_http_status", bucket: "apisix_http_latency_bucket",
		canary:   `route=~"{{ namespace }}_{{ route }}-{{ service }}-canary_.+"`,
		timed:    `,type="request"`,
		failed:   `code=~"5.."`,
		measures: "99th percentile of primary and canary together, as APISIX measures it",
		request: func(s Served) []Sample {
			labels := map[string]string{
				"route": fmt.Sprintf("%s_%s-%s-canary_app", s.Namespace, s.Route, s.Service), "matched_host": s.Host, "matched_uri": s.Path, "node": s.Pod,
			}
			took := map[string]string{"type": "request", "route": labels["route"], "node": s.Pod}
			counted := map[string]string{"code": strconv.Itoa(s.Status)}
			for name, value := range labels {
				counted[name] = value
			}
			return append([]Sample{
				{Name: "apisix_http_status", Value: 1, Labels: counted},
				{Name: "apisix_http_latency", Kind: Histogram, Value: s.Duration.Seconds() * 1000, Buckets: apisixBuckets, Labels: took},
			}, app(s)...)
		},
	}.builtin()
	b = together(b)
	b.SuccessMeans = "requests to primary and canary, not answered by a 5xx"
	return b
}()

// apisixBuckets are the upper bounds of APISIX' histograms, in milliseconds.
var apisixBuckets = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000}
