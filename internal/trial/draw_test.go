package trial

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// moments are the mean and the variance of what is drawn.
func moments(draw func() int) (mean, variance float64) {
	const n = 20_000
	sum, squares := 0.0, 0.0
	for range n {
		v := float64(draw())
		sum += v
		squares += v * v
	}
	mean = sum / n
	return mean, squares/n - mean*mean
}

func around(got, want float64) bool { return math.Abs(got-want) <= 0.05*want+0.02 }

func TestDrawnNumbersHaveTheirMeanAndVariance(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for _, want := range []float64{0, 0.3, 5, 39, 40, 500} {
		if mean, variance := moments(func() int { return poisson(r, want) }); !around(mean, want) || !around(variance, want) {
			t.Errorf("poisson %v: mean %v, variance %v", want, mean, variance)
		}
	}
	for _, c := range []struct {
		n int
		p float64
	}{{10, 0.3}, {1000, 0.001}, {1000, 0.5}, {100, 0.97}, {10_000, 0.02}, {7, 0}, {7, 1}} {
		want := float64(c.n) * c.p
		mean, variance := moments(func() int {
			k := binomial(r, c.n, c.p)
			if k < 0 || k > c.n {
				t.Fatalf("%d of %d", k, c.n)
			}
			return k
		})
		if !around(mean, want) || !around(variance, want*(1-c.p)) {
			t.Errorf("binomial %+v: mean %v, variance %v", c, mean, variance)
		}
	}
}

func TestIncidentsHaveTheirShareOfTheTime(t *testing.T) {
	t.Parallel()
	s := source{Traffic: &Traffic{Incidents: 20}, random: rand.New(rand.NewPCG(1, 1))}
	n := 0
	for range 100_000 {
		if s.troubled(time.Second) {
			n++
		}
	}
	if n < 18_000 || n > 22_000 {
		t.Errorf("%d of 100000 seconds", n)
	}
}

func TestAQuantileIsThatOfTheHistogram(t *testing.T) {
	t.Parallel()
	bounds := []float64{10, 20, 40}
	for _, c := range []struct {
		counts []int
		q      float64
		want   float64
	}{
		{[]int{10, 0, 0, 0}, 0.5, 5}, {[]int{50, 50, 0, 0}, 0.75, 15}, {[]int{50, 0, 50, 0}, 0.99, 39.6},
		{[]int{0, 0, 0, 5}, 0.99, 40}, {[]int{0, 0, 0, 0}, 0.99, math.NaN()},
	} {
		got := quantile(c.q, bounds, c.counts)
		if !(math.Abs(got-c.want) < 1e-9) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v: got %v, want %v", c.counts, got, c.want)
		}
	}
}

func TestDurationsHaveTheirQuantiles(t *testing.T) {
	t.Parallel()
	bounds := make([]float64, 0, 400)
	for b := 1.0; b <= 400; b++ {
		bounds = append(bounds, b)
	}
	s := source{Traffic: &Traffic{Spread: 0.5, Buckets: bounds}, random: rand.New(rand.NewPCG(1, 1))}
	answers := s.side(200_000, 0, 50)
	if got := quantile(0.5, bounds, answers.buckets); !around(got, 50) {
		t.Errorf("the median is %v", got)
	}
	if got := quantile(0.99, bounds, answers.buckets); !around(got, 50*math.Exp(0.5*2.3263)) {
		t.Errorf("the 99th percentile is %v", got)
	}
}
