package trial

import (
	"math"
	"math/rand/v2"
	"time"
)

// Traffic is what the users send, and how a healthy version answers.
type Traffic struct {
	RPS       float64       // requests per second, to both versions together
	Errors    float64       // percent of the requests that fail on a healthy version
	Latency   time.Duration // median of the durations
	Spread    float64       // standard deviation of their logarithm; 0.5 puts the 99th percentile at 3.2 times the median
	Swing     float64       // standard deviation of the logarithm of the factor by which errors and durations of both versions move
	Incidents float64       // percent of the time in which something else makes incidentErrors of all requests fail
	Buckets   []float64     // upper bounds of the router's histogram in milliseconds, ascending
}

// An incident is an outage that has nothing to do with the release. Both versions see it alike.
const (
	incidentErrors = 0.03 // share of the requests
	incidentLength = 30 * time.Second
)

// Release is a version under test.
type Release struct {
	Name   string  `json:"release"`
	Errors float64 `json:"errors"` // percent of the requests that fail on top of those that fail anyway
	Slower float64 `json:"slower"` // factor of the durations; 1 is as fast as the primary
}

// side is what one version answered.
type side struct {
	requests, errors int
	buckets          []int // by the histogram; one more than there are bounds
}

func (s *side) add(other *side) {
	s.requests += other.requests
	s.errors += other.errors
	if s.buckets == nil && other.buckets != nil {
		s.buckets = make([]int, len(other.buckets))
	}
	for i, n := range other.buckets {
		s.buckets[i] += n
	}
}

// tick is what both answered in a short time.
type tick struct {
	length          time.Duration
	canary, primary side
}

// source makes the traffic of one trial.
type source struct {
	*Traffic
	release  Release
	random   *rand.Rand
	swings   swings
	incident time.Duration // what is left of it
}

// next draws the answers of a short time in which the canary gets a share of the requests, 0 to 1, and copies of another.
func (s *source) next(length time.Duration, share, copied float64) tick {
	factor := s.swings.next(s.random)
	failing := min(s.Errors/100*factor, 1)
	if s.troubled(length) {
		failing = 1 - (1-failing)*(1-incidentErrors)
	}
	all := s.RPS * length.Seconds()
	median := float64(s.Latency) / float64(time.Millisecond) * factor
	t := tick{length: length}
	t.primary = s.side(all*(1-share), failing, median)
	t.canary = s.side(all*(share+copied), 1-(1-failing)*(1-s.release.Errors/100), median*s.release.Slower)
	return t
}

// troubled reports whether there is an incident, which begin at random, so often that their share of the time is right.
func (s *source) troubled(length time.Duration) bool {
	if s.incident > 0 {
		s.incident -= length
		return true
	}
	share := s.Incidents / 100
	if share <= 0 || share >= 1 {
		return share >= 1
	}
	pause := float64(incidentLength) * (1 - share) / share
	if s.random.Float64() < 1-math.Exp(-float64(length)/pause) {
		s.incident = incidentLength - length
		return true
	}
	return false
}

func (s *source) side(expected, failing, median float64) side {
	n := poisson(s.random, expected)
	if n == 0 {
		return side{}
	}
	out := side{requests: n, errors: binomial(s.random, n, failing), buckets: make([]int, len(s.Buckets)+1)}
	left, below := n, 0.0 // below: the share of the durations under the bucket
	for i, bound := range s.Buckets {
		if left == 0 {
			return out
		}
		upTo := math.Erfc(-math.Log(bound/median)/(s.Spread*math.Sqrt2)) / 2
		if below < 1 {
			out.buckets[i] = binomial(s.random, left, (upTo-below)/(1-below))
		}
		left -= out.buckets[i]
		below = upTo
	}
	out.buckets[len(s.Buckets)] = left
	return out
}

// quantile is histogram_quantile of Prometheus: linear within a bucket, and the highest bound for what lies above it.
func quantile(q float64, bounds []float64, counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return math.NaN()
	}
	rank, seen, lower := q*float64(total), 0.0, 0.0
	for i, bound := range bounds {
		n := float64(counts[i])
		if seen+n >= rank {
			if n == 0 {
				return bound
			}
			return lower + (bound-lower)*(rank-seen)/n
		}
		seen, lower = seen+n, bound
	}
	return bounds[len(bounds)-1]
}
