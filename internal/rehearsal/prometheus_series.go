package rehearsal

import (
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/penstock-dev/penstock/internal/metric"
)

// recordedState says whether a metric is scraped.
type recordedState int8

const (
	recordedLive   recordedState = iota
	recordedEnding               // its end is written with the next scrape
	recordedEnded
)

// recorded is one metric with one set of labels.
type recorded struct {
	labels labels.Labels // without the name
	state  recordedState
	bounds []float64         // of a histogram, with +Inf at the end; nil of a counter
	series []*recordedSeries // of a histogram: one for each bound, then the sum, then the count; of a counter: one
}

// recordedSeries is one series of a metric.
type recordedSeries struct {
	labels labels.Labels
	value  float64
	stored *storedSeries // nil until the first scrape; only scrapes use it
}

func newRecorded(s metric.Sample, own labels.Labels) *recorded {
	m := &recorded{labels: own}
	add := func(suffix string, more ...string) {
		b := labels.NewBuilder(own).Set(model.MetricNameLabel, s.Name+suffix)
		for i := 0; i+1 < len(more); i += 2 {
			b.Set(more[i], more[i+1])
		}
		m.series = append(m.series, &recordedSeries{labels: b.Labels()})
	}
	if s.Kind != metric.Histogram {
		add("")
		return m
	}
	m.bounds = append(append(m.bounds, s.Buckets...), math.Inf(1))
	for _, bound := range m.bounds {
		add("_bucket", labels.BucketLabel, labels.FormatOpenMetricsFloat(bound)) // as Prometheus 3 writes them: 1.0, not 1
	}
	add("_sum")
	add("_count")
	return m
}

// add adds one sample.
func (m *recorded) add(s metric.Sample) {
	m.state = recordedLive
	if m.bounds == nil {
		m.series[0].value += s.Value
		return
	}
	for i := len(m.bounds) - 1; i >= 0 && s.Value <= m.bounds[i]; i-- {
		m.series[i].value++ // buckets are cumulative
	}
	m.series[len(m.bounds)].value += s.Value
	m.series[len(m.bounds)+1].value++
}

func (m *recorded) matches(all map[string]string) bool {
	for name, want := range all {
		if m.labels.Get(name) != want {
			return false
		}
	}
	return true
}
