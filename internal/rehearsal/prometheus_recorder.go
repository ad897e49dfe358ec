package rehearsal

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/metric"
)

const (
	maxSeries = 50_000
	// The past that is written with a new series.
	pastScrapes = 1024
	pastTime    = 50 * time.Minute
)

// Recorder keeps the counters and histograms that requests add to, and scrapes them into a storage. It is safe for
// concurrent use.
type Recorder struct {
	clock   clock.PassiveClock
	samples *Samples

	mu       sync.Mutex                      // guards the metrics and their values
	metrics  map[string]map[string]*recorded // by name, and by the labels as bytes
	ordered  []*recorded
	key      []byte
	series   int
	overflow int // samples that had no place

	scraping sync.Mutex // guards what only scrapes use
	stamps   []int64    // of the latest scrapes, in milliseconds, ascending
	points   []point
}

// point is the value of a series at a scrape.
type point struct {
	series *recordedSeries
	value  float64
}

// NewRecorder returns a recorder without metrics. Time zero of its counters is now.
func NewRecorder(clock clock.PassiveClock, samples *Samples) *Recorder {
	return &Recorder{
		clock: clock, samples: samples, metrics: map[string]map[string]*recorded{},
		stamps: []int64{clock.Now().UnixMilli()},
	}
}

// Record adds samples to their metrics.
func (r *Recorder) Record(samples []metric.Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range samples {
		if m := r.metric(s); m != nil {
			m.add(s)
		}
	}
}

// metric returns the metric of a sample, a new one if need be, or nil when there are too many. The lock is held.
func (r *Recorder) metric(s metric.Sample) *recorded {
	own := labels.FromMap(s.Labels)
	r.key = own.Bytes(r.key)
	if m, ok := r.metrics[s.Name][string(r.key)]; ok {
		return m
	}
	m := newRecorded(s, own)
	if r.series+len(m.series) > maxSeries {
		r.overflow++
		return nil
	}
	r.series += len(m.series)
	if r.metrics[s.Name] == nil {
		r.metrics[s.Name] = map[string]*recorded{}
	}
	r.metrics[s.Name][string(r.key)] = m
	r.ordered = append(r.ordered, m)
	return m
}

// Retire ends the series that have all of these labels, as when the pod that they are scraped from is gone: to a query
// they end here. They go on when more is recorded of them.
func (r *Recorder) Retire(match map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.ordered {
		if m.state == recordedLive && m.matches(match) {
			m.state = recordedEnding
		}
	}
}

// Run scrapes every so often, in real time, until ctx ends, and once more at the end.
func (r *Recorder) Run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.Scrape() // what was recorded last belongs to the report
		case <-ticker.C:
			if err := r.Scrape(); err != nil {
				return err
			}
		}
	}
}

// Scrape writes the present value of every series to the storage. A series that is new is written as zero for the scrapes
// that went before: it was there and counted nothing. So the first event is an increase, and the rates of series that
// began at different times compare.
func (r *Recorder) Scrape() error {
	r.scraping.Lock()
	defer r.scraping.Unlock()
	past := r.stamps
	// Two scrapes within one millisecond of the clock would be one sample: time is pushed on a little.
	stamp := max(r.clock.Now().UnixMilli(), past[len(past)-1]+1)
	overflow := r.collect()
	err := r.samples.write(func() error {
		for _, p := range r.points {
			if err := p.store(r.samples, past, stamp); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store metrics: %w", err)
	}
	r.stamps = remember(past, stamp)
	if overflow > 0 {
		return fmt.Errorf("store metrics: %d samples belong to more than %d series", overflow, maxSeries)
	}
	return nil
}

// collect reads the present value of every live series into points.
func (r *Recorder) collect() (overflow int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points = r.points[:0]
	for _, m := range r.ordered {
		if m.state == recordedEnded {
			continue
		}
		for _, s := range m.series {
			v := s.value
			if m.state == recordedEnding {
				v = math.Float64frombits(value.StaleNaN)
			}
			r.points = append(r.points, point{s, v})
		}
		if m.state == recordedEnding {
			m.state = recordedEnded
		}
	}
	return r.overflow
}

func (p point) store(to *Samples, past []int64, stamp int64) error {
	s := p.series
	if s.stored == nil {
		s.stored = to.add(s.labels)
		for _, t := range past {
			if err := s.stored.append(t, 0); err != nil {
				return err
			}
		}
	}
	return s.stored.append(stamp, p.value)
}

// remember adds a stamp and drops those that are too many or too old.
func remember(stamps []int64, stamp int64) []int64 {
	stamps = append(stamps, stamp)
	drop := max(len(stamps)-pastScrapes, 0)
	for drop < len(stamps)-1 && stamps[drop] < stamp-pastTime.Milliseconds() {
		drop++
	}
	return stamps[drop:]
}
