package metric

import (
	"fmt"
	"regexp"
	"strconv"
)

// skipper asks the metrics that Skipper has of each route, by the names that it gives to the routes of the canary Ingress.
// They need its options -route-response-metrics and -serve-route-metrics.
//
// The duration differs from Flagger's on purpose: a mean hides the slow tail.
var skipper = observed{
	counter: "skipper_response_duration_seconds_count", bucket: "skipper_serve_route_duration_seconds_bucket",
	canary:   `route=~"kube(ew)?_{{ word namespace }}__{{ word ingress }}_canary__.*__{{ word service }}_canary(_[0-9]+)?"`,
	primary:  `route=~"kube(ew)?_{{ word namespace }}__{{ word ingress }}_canary__.*__{{ word service }}_primary(_[0-9]+)?"`,
	failed:   `code=~"5.."`,
	seconds:  true,
	measures: "99th percentile, as Skipper measures it (Flagger: mean)",
	request: func(s Served) []Sample {
		labels := map[string]string{
			"route": fmt.Sprintf("kube_%s__%s_canary__%s__%s__%s", word(s.Namespace), word(s.Ingress), word(s.Host), word(s.Path), word(s.side())),
			"code":  strconv.Itoa(s.Status), "method": s.Method,
		}
		took := s.Duration.Seconds()
		return append([]Sample{
			{Name: "skipper_response_duration_seconds", Kind: Histogram, Value: took, Buckets: seconds, Labels: labels},
			{Name: "skipper_serve_route_duration_seconds", Kind: Histogram, Value: took, Buckets: seconds, Labels: labels},
		}, app(s)...)
	},
}.builtin()

var notWord = regexp.MustCompile(`\W`)

// word returns a name as Skipper writes it within the name of a route.
func word(name string) string { return notWord.ReplaceAllString(name, "_") }
