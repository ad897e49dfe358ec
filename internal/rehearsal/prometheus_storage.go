package rehearsal

import (
	"context"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// chunkLength is how many samples a chunk gets, as in Prometheus' own head block.
const chunkLength = 120

// Samples keeps samples in memory as the head block of Prometheus' own storage does, in the chunks of its storage engine,
// and hands them to its query engine. The block itself is left out: it brings service discovery with it, and with that the
// clients of several clouds. It is safe for concurrent use.
type Samples struct {
	mu     sync.RWMutex
	series []*storedSeries
}

// storedSeries is one series: its chunks, and the samples in them, ascend in time. Only the last one still grows.
type storedSeries struct {
	labels   labels.Labels
	chunks   []storedChunk
	appender chunkenc.Appender // of the last chunk
}

// storedChunk is a compressed row of samples, with the times of the first and the last one.
type storedChunk struct {
	*chunkenc.XORChunk
	from, to int64
}

// write runs the writes of one scrape, so that a query sees all of them or none.
func (s *Samples) write(scrape func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return scrape()
}

// add returns a new series without samples. It belongs inside of write, as append does.
func (s *Samples) add(name labels.Labels) *storedSeries {
	added := &storedSeries{labels: name}
	s.series = append(s.series, added)
	return added
}

// append adds a sample and forgets the chunks that are older than the retention.
func (s *storedSeries) append(stamp int64, value float64) error {
	if last := len(s.chunks) - 1; last < 0 || s.chunks[last].NumSamples() >= chunkLength {
		s.chunks = slices.DeleteFunc(s.chunks, func(c storedChunk) bool { return c.to < stamp-metricsRetention.Milliseconds() })
		added := storedChunk{XORChunk: chunkenc.NewXORChunk(), from: stamp}
		appender, err := added.Appender()
		if err != nil {
			return err
		}
		s.chunks, s.appender = append(s.chunks, added), appender
	}
	s.appender.Append(0, stamp, value) // when a counter began is not recorded
	s.chunks[len(s.chunks)-1].to = stamp
	return nil
}

// within returns the chunks that have samples between two times. The one that still grows is copied.
func (s *storedSeries) within(from, to int64) []chunkenc.Iterable {
	var found []chunkenc.Iterable
	for i, c := range s.chunks {
		switch {
		case c.to < from || c.from > to:
		case i < len(s.chunks)-1:
			found = append(found, c)
		default:
			copied := chunkenc.NewXORChunk()
			copied.Reset(slices.Clone(c.Bytes()))
			found = append(found, copied)
		}
	}
	return found
}

// Querier implements storage.Queryable. The bounds are milliseconds since 1970, both inclusive.
func (s *Samples) Querier(from, to int64) (storage.Querier, error) {
	return sampleQuerier{s, from, to}, nil
}

type sampleQuerier struct {
	of       *Samples
	from, to int64
}

// Select returns the series that match, with the chunks that have samples inside of the bounds.
func (q sampleQuerier) Select(_ context.Context, sorted bool, _ *storage.SelectHints, all ...*labels.Matcher) storage.SeriesSet {
	q.of.mu.RLock()
	defer q.of.mu.RUnlock()
	set := &sampleSet{}
	for _, series := range q.of.series {
		if !matchesAll(series.labels, all) {
			continue
		}
		if window := series.within(q.from, q.to); len(window) > 0 {
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
	labels labels.Labels
	chunks []chunkenc.Iterable
}

func (w seriesWindow) Labels() labels.Labels { return w.labels }

func (w seriesWindow) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	return storage.ChainSampleIteratorFromIterables(it, w.chunks)
}
