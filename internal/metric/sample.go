package metric

import (
	"strconv"
	"time"
)

// Served is one finished request, as the rehearsal's proxy saw it.
type Served struct {
	Namespace string
	Target    string // name of the target, for both versions
	Workload  string // name of the workload that answered: the target or its primary
	Pod       string // name of the pod that answered; empty when the request never reached one
	Revision  string // of Knative: the Revision that the request was sent to; empty when there was none, or no Knative
	Service   string // the apex Service
	Port      int32  // of the apex Service
	Ingress   string // the user's Ingress
	Route     string // the user's route
	Host      string
	Method    string
	Path      string // of the route, not of the single request
	Status    int
	Duration  time.Duration
	Canary    bool // the canary answered it
}

// Kind is the type of a metric.
type Kind int8

// The zero value is a counter.
const (
	Counter Kind = iota
	Histogram
)

// Sample is what one event adds to one metric.
type Sample struct {
	Name    string // of a histogram: without _bucket, _sum, _count
	Kind    Kind
	Labels  map[string]string
	Value   float64   // what a counter grows by, or what a histogram observes
	Buckets []float64 // upper bounds of a histogram's buckets, ascending, without +Inf
}

// seconds are the default buckets of the Prometheus clients, which podinfo and ingress-nginx use for durations.
var seconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// app returns what an app that is instrumented as podinfo is exports, with the labels that Flagger's own Prometheus adds
// and those that the Prometheus operator adds.
func app(s Served) []Sample {
	if s.Pod == "" {
		return nil // what never reached the app is not in its metrics
	}
	scraped := func(more map[string]string) map[string]string {
		labels := map[string]string{
			"app": s.Workload, "status": strconv.Itoa(s.Status),
			"kubernetes_namespace": s.Namespace, "kubernetes_pod_name": s.Pod,
			"namespace": s.Namespace, "pod": s.Pod,
		}
		for name, value := range more {
			labels[name] = value
		}
		return labels
	}
	return []Sample{
		{
			Name: "http_request_duration_seconds", Kind: Histogram, Value: s.Duration.Seconds(), Buckets: seconds,
			Labels: scraped(map[string]string{"method": s.Method, "path": s.Path}),
		},
		{Name: "http_requests_total", Value: 1, Labels: scraped(nil)},
	}
}
