package loadtest

import (
	"math"
	"time"
)

// precision is how far a percentile may be from the truth: a factor of 1.01.
const precision = 1.01

// histogram counts latencies in buckets that grow by the precision, from a microsecond on, so that an hour of load takes no
// more memory than a second of it.
type histogram struct {
	buckets     []int64
	count       int64
	sum         time.Duration
	least, most time.Duration
	logOfAStep  float64
}

func newHistogram() *histogram { return &histogram{logOfAStep: math.Log(precision)} }

func (h *histogram) add(d time.Duration) {
	at := 0
	if d > time.Microsecond {
		at = int(math.Log(float64(d)/float64(time.Microsecond)) / h.logOfAStep)
	}
	for at >= len(h.buckets) {
		h.buckets = append(h.buckets, make([]int64, 256)...)
	}
	h.buckets[at]++
	if h.count == 0 || d < h.least {
		h.least = d
	}
	h.most = max(h.most, d)
	h.sum += d
	h.count++
}

// percentile returns the latency within which so many percent came: of a bucket its middle, and of all
// the longest.
func (h *histogram) percentile(percent int) time.Duration {
	rank := int64(math.Ceil(float64(h.count) * float64(percent) / 100))
	if rank >= h.count {
		return h.most
	}
	for i, n := range h.buckets {
		if rank -= n; rank <= 0 {
			middle := time.Duration(float64(time.Microsecond) * math.Pow(precision, float64(i)+0.5))
			return min(max(middle, h.least), h.most)
		}
	}
	return h.most
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}

// percentiles returns those that hey prints; none of no latency.
func (h *histogram) percentiles() []Percentile {
	if h.count == 0 {
		return nil
	}
	list := make([]Percentile, 0, len(percents))
	for _, percent := range percents {
		list = append(list, Percentile{percent, h.percentile(percent)})
	}
	return list
}
