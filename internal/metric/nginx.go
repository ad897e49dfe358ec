package metric

import (
	"fmt"
	"strconv"
)

// nginx asks the metrics of ingress-nginx 1.0.2 or newer. A request that went to the canary has the names of the user's
// own Ingress and Service, and in the label canary the name of the canary's upstream; it is empty for all others.
//
// The duration differs from Flagger's on purpose. Flagger divides the sum of ingress_upstream_latency_seconds by its
// count. That metric is deprecated, and it observes how long it took to connect to the upstream: a canary that accepts
// quickly and answers slowly passes, and a mean hides the slow tail. Here it is the 99th percentile of
// request_duration_seconds, what the user waited for, as on the other routers and as Flagger documents it.
var nginx = Builtin{
	SuccessRate: `100 - 100 * (
  sum(rate(nginx_ingress_controller_requests{namespace="{{ namespace }}",ingress="{{ ingress }}",canary!="",status=~"5.*"}[{{ interval }}]))
  or
  0 * sum(rate(nginx_ingress_controller_requests{namespace="{{ namespace }}",ingress="{{ ingress }}",canary!=""}[{{ interval }}]))
) / sum(rate(nginx_ingress_controller_requests{namespace="{{ namespace }}",ingress="{{ ingress }}",canary!=""}[{{ interval }}]))`,

	Duration: `1000 * histogram_quantile(0.99,
  sum by (le) (rate(nginx_ingress_controller_request_duration_seconds_bucket{namespace="{{ namespace }}",ingress="{{ ingress }}",canary!=""}[{{ interval }}]))
)`,
	DurationMeans: "99th percentile, as the ingress controller measures it (Flagger: mean time to connect)",

	Count: `sum(increase(nginx_ingress_controller_requests{namespace="{{ namespace }}",ingress="{{ ingress }}",canary!=""}[{{ interval }}]))`,

	Request:   nginxRequest,
	ofPrimary: swap(`canary!=""`, `canary=""`),
}

func nginxRequest(s Served) []Sample {
	labels := map[string]string{
		"controller_class": "k8s.io/ingress-nginx", "controller_namespace": "ingress-nginx", "controller_pod": "ingress-nginx-controller-0",
		"namespace": s.Namespace, "ingress": s.Ingress, "service": s.Service,
		"host": s.Host, "method": s.Method, "path": s.Path, "status": strconv.Itoa(s.Status),
	}
	if s.Canary {
		labels["canary"] = fmt.Sprintf("%s-%s-canary-%d", s.Namespace, s.Service, s.Port)
	}
	took := s.Duration.Seconds()
	return append([]Sample{
		{Name: "nginx_ingress_controller_requests", Value: 1, Labels: labels},
		{Name: "nginx_ingress_controller_request_duration_seconds", Kind: Histogram, Value: took, Buckets: seconds, Labels: labels},
		{Name: "nginx_ingress_controller_response_duration_seconds", Kind: Histogram, Value: took, Buckets: seconds, Labels: labels},
	}, app(s)...)
}
