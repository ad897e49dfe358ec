// Package exporter shows the rollouts of a run as Prometheus metrics, under the names, labels and buckets that Flagger's
// dashboards and alerts know (its pkg/metrics/recorder.go): served while the run lasts, and pushed to a Pushgateway.
package exporter

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Exporter holds the metrics of all rollouts of a run.
type Exporter struct {
	version  string
	registry *prometheus.Registry // what is not of one rollout
	info     *prometheus.GaugeVec
	total    *prometheus.GaugeVec

	mu    sync.Mutex
	feeds []*Feed
}

// New returns an exporter without rollouts. The version is Penstock's.
func New(version string) *Exporter {
	e := &Exporter{version: version, registry: prometheus.NewRegistry(), info: newInfo(), total: newTotal()}
	e.registry.MustRegister(e.info, e.total)
	return e
}

func newInfo() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "flagger_info", Help: "Version of penstock that drives the canaries, and their traffic router.",
	}, []string{"version", "mesh_provider"})
}

func newTotal() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "flagger_canary_total", Help: "Number of canaries in this run.",
	}, []string{"namespace"})
}

// Add returns the reporter that keeps the metrics of one rollout.
func (e *Exporter) Add(s Subject) *Feed {
	f := newFeed(s)
	e.info.WithLabelValues(e.version, s.Provider).Set(1)
	e.total.WithLabelValues(s.Namespace).Inc()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.feeds = append(e.feeds, f)
	return f
}

// Gather returns all metrics, sorted by name, as a prometheus.Gatherer does.
func (e *Exporter) Gather() ([]*dto.MetricFamily, error) {
	e.mu.Lock()
	feeds := slices.Clone(e.feeds)
	e.mu.Unlock()
	all := make(prometheus.Gatherers, 0, len(feeds)+1)
	all = append(all, e.registry)
	for _, f := range feeds {
		all = append(all, f.registry)
	}
	return all.Gather()
}
