package rehearsal

import (
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Samples is a storage of samples in memory, for Prometheus' query engine. It stands in for Prometheus' own storage, which
// brings service discovery with it, and with that the clients of several clouds. It is safe for concurrent use.
type Samples struct {
	mu     sync.RWMutex
	series []*storedSeries
}

// storedSeries is one series: its samples ascend in time. Samples that a reader may hold are never changed in place.
type storedSeries struct {
	labels  labels.Labels
	samples []storedSample
}

// write runs the writes of one scrape, so that a query sees all of them or none.
func (s *Samples) write(scrape func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scrape()
}

// add returns a new series without samples. It belongs inside of write, as append does.
func (s *Samples) add(name labels.Labels) *storedSeries {
	added := &storedSeries{labels: name}
	s.series = append(s.series, added)
	return added
}

// append adds a sample and forgets those that are older than the retention.
func (s *storedSeries) append(stamp int64, value float64) {
	s.samples = append(s.samples, storedSample{stamp, value})
	oldest := stamp - metricsRetention.Milliseconds()
	// Half of them have to be old, so that each sample is copied about once.
	if half := len(s.samples) / 2; s.samples[half].stamp < oldest {
		s.samples = slices.Clone(s.since(oldest))
	}
}

func (s *storedSeries) since(stamp int64) []storedSample {
	return s.samples[sort.Search(len(s.samples), func(i int) bool { return s.samples[i].stamp >= stamp }):]
}

// Querier implements storage.Queryable. The bounds are milliseconds since 1970, both inclusive.
func (s *Samples) Querier(from, to int64) (storage.Querier, error) {
	return sampleQuerier{s, from, to}, nil
}

type sampleQuerier struct {
	of       *Samples
	from, to int64
}

// Select returns the series that match, with their samples inside of the bounds.
func (q sampleQuerier) Select(_ context.Context, sorted bool, _ *storage.SelectHints, all ...*labels.Matcher) storage.SeriesSet {
	q.of.mu.RLock()
	defer q.of.mu.RUnlock()
	set := &sampleSet{}
	for _, series := range q.of.series {
		if !matchesAll(series.labels, all) {
			continue
		}
		window := series.since(q.from)
		window = window[:sort.Search(len(window), func(i int) bool { return window[i].stamp > q.to })]
		if len(window) > 0 {
			set.series = append(set.series, seriesWindow{series.labels, window})
		}
	}
	if sorted {
		slices.SortFunc(set.series, func(a, b seriesWindow) int { return labels.Compare(a.labels, b.labels) })
	}
	return set
}

func matchesAll(series labels.Labels, all []*labels.Matcher) bool {
	for _, m := range all {
		if !m.Matches(series.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues and LabelNames serve the browsing of metrics, which instant queries do not do.
func (sampleQuerier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (sampleQuerier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (sampleQuerier) Close() error { return nil }

type sampleSet struct {
	series []seriesWindow
	next   int
}

func (s *sampleSet) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *sampleSet) At() storage.Series                { return s.series[s.next-1] }
func (s *sampleSet) Err() error                        { return nil }
func (s *sampleSet) Warnings() annotations.Annotations { return nil }

// seriesWindow is a part of a series.
type seriesWindow struct {
	labels  labels.Labels
	samples []storedSample
}

func (w seriesWindow) Labels() labels.Labels { return w.labels }

func (w seriesWindow) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(w)
}

func (w seriesWindow) Get(i int) chunks.Sample { return w.samples[i] }
func (w seriesWindow) Len() int                { return len(w.samples) }

// storedSample is a number at a time, in milliseconds since 1970.
type storedSample struct {
	stamp int64
	value float64
}

func (s storedSample) T() int64                      { return s.stamp }
func (s storedSample) ST() int64                     { return 0 } // when a counter began is not recorded
func (s storedSample) F() float64                    { return s.value }
func (s storedSample) H() *histogram.Histogram       { return nil }
func (s storedSample) FH() *histogram.FloatHistogram { return nil }
func (s storedSample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s storedSample) Copy() chunks.Sample           { return s }
