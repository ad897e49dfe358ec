package rehearsal

import (
	"github.com/penstock-dev/penstock/internal/metric"
)

// Observing returns what a Proxy calls for each request, so that the recorder has the metrics that would be scraped with
// the router of provider, a spec.provider. base says what all requests have in common: everything but the method, the
// status, the duration and who answered. An unknown provider is an error that lists the known ones.
func Observing(r *Recorder, provider string, base metric.Served) (func(Request), error) {
	router, err := metric.BuiltinFor(provider)
	if err != nil {
		return nil, err
	}
	// The kubernetes provider has no router: its metrics are the app's own, which is all that sees a request that goes
	// past the router.
	app, err := metric.BuiltinFor("kubernetes")
	if err != nil {
		return nil, err
	}
	return func(done Request) {
		served := base
		served.Method, served.Status, served.Duration = done.Method, done.Code, done.Duration
		served.Canary = done.Version == Canary
		served.Revision = done.Endpoint.Workload
		if done.Answered { // what never reached the app is not in the app's own metrics
			served.Workload, served.Pod = done.Endpoint.Workload, done.Endpoint.Pod
		}
		switch {
		case !done.Direct:
			r.Record(router.Request(served))
		case done.Answered:
			r.Record(app.Request(served))
		}
	}, nil
}
