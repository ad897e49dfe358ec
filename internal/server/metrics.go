package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of a delivery that is proved.
const (
	accepted  = "accepted"
	duplicate = "duplicate"
	skipped   = "ignored"
	refused   = "refused"
)

type metrics struct {
	deliveries *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	looks      *prometheus.HistogramVec
}

// newMetrics registers the metrics of a server, which asks the queue when it is scraped.
func newMetrics(registry *prometheus.Registry, q *queue, now func() time.Time) (*metrics, error) {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "penstock_webhook_deliveries_total",
			Help: "Deliveries whose signature or token is right, by what became of them: accepted, duplicate, ignored or refused.",
		}, []string{"platform", "event", "outcome"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "penstock_webhook_refusals_total",
			Help: "Deliveries that were refused, by the reason.",
		}, []string{"platform", "reason"}),
		looks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "penstock_webhook_look_duration_seconds",
			Help:    "How long it took to look at a change, by whether that ended well.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"platform", "outcome"}),
	}
	length := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "penstock_webhook_queue_length", Help: "Changes that wait for a look or are being looked at.",
	}, func() float64 { n, _ := q.length(); return float64(n) })
	oldest := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "penstock_webhook_oldest_pending_seconds", Help: "How long the change that has waited longest has done so; 0 when none waits.",
	}, func() float64 {
		n, since := q.length()
		if n == 0 {
			return 0
		}
		return max(0, now().Sub(since).Seconds())
	})
	for _, c := range []prometheus.Collector{m.deliveries, m.refusals, m.looks, length, oldest} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
