package metric

import (
	"fmt"
	"strconv"
)

// traefik asks the metrics that Traefik has of each Service that it sends requests to.
var traefik = observed{
	counter: "traefik_service_request_duration_seconds_count", bucket: "traefik_service_request_duration_seconds_bucket",
	canary:   `service=~"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd"`,
	primary:  `service=~"{{ namespace }}-{{ service }}-primary-[0-9a-zA-Z-]+@kubernetescrd"`,
	failed:   `code=~"5.."`,
	seconds:  true,
	measures: "99th percentile, as Traefik measures it",
	request: func(s Served) []Sample {
		return append([]Sample{{
			Name: "traefik_service_request_duration_seconds", Kind: Histogram, Value: s.Duration.Seconds(), Buckets: seconds,
			Labels: map[string]string{
				"service": fmt.Sprintf("%s-%s-%d@kubernetescrd", s.Namespace, s.side(), s.Port),
				"code":    strconv.Itoa(s.Status), "method": s.Method, "protocol": "http",
			},
		}}, app(s)...)
	},
}.builtin()
