package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

// enumerated goes through every way to call len(x) of the values x, and counts those with as extreme a U. That is the
// definition of p, ties or not.
func enumerated(x, y []float64) (higher, lower float64) {
	all := append(append([]float64{}, x...), y...)
	pairs := func(is []bool) float64 {
		u := 0.0
		for i, a := range all {
			for j, b := range all {
				if is[i] && !is[j] {
					switch {
					case a > b:
						u++
					case a == b:
						u += 0.5
					}
				}
			}
		}
		return u
	}
	is := make([]bool, len(all))
	for i := range x {
		is[i] = true
	}
	seen := pairs(is)
	total := 0.0
	var among func(from, left int)
	among = func(from, left int) {
		if left == 0 {
			total++
			u := pairs(is)
			if u >= seen {
				higher++
			}
			if u <= seen {
				lower++
			}
			return
		}
		for i := from; i <= len(all)-left; i++ {
			is[i] = true
			among(i+1, left-1)
			is[i] = false
		}
	}
	clear(is)
	among(0, len(x))
	return higher / total, lower / total
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestPIsTheShareOfTheOrdersThatAreAsExtreme(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		x, y := make([]float64, 1+random.IntN(6)), make([]float64, 1+random.IntN(6))
		for _, side := range [][]float64{x, y} {
			for i := range side {
				side[i] = random.Float64()
			}
		}
		higher, lower := enumerated(x, y)
		got := rank(x, y)
		near(t, "p of higher", got.Higher, higher, 1e-12)
		near(t, "p of lower", got.Lower, lower, 1e-12)
	}
}

func TestPWithTiesIsTheShareOfTheOrders(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		x, y := make([]float64, 1+random.IntN(8)), make([]float64, 1+random.IntN(8))
		values := 1 + random.IntN(6)
		for _, side := range [][]float64{x, y} {
			for i := range side {
				side[i] = float64(random.IntN(values))
			}
		}
		higher, lower := enumerated(x, y)
		got := rank(x, y)
		near(t, "p of higher", got.Higher, higher, 1e-12)
		near(t, "p of lower", got.Lower, lower, 1e-12)
	}
}

// choose is the binomial coefficient.
func choose(n, k int) float64 {
	ways := 1.0
	for i := range k {
		ways = ways * float64(n-i) / float64(i+1)
	}
	return ways
}

// Of success rates most are 100 %. When only f samples of the canary are below, p is the share of the choices of f of all
// samples that are all the canary's, which is Fisher's exact test. The normal approximation would find 0.0064 in place of
// 0.0128 with 5 of 8.
func TestPOfFewFailuresIsThatOfFishersTest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, failing int }{{8, 3}, {8, 5}, {12, 4}, {20, 6}, {60, 5}, {60, 8}} {
		x, y := make([]float64, c.n), make([]float64, c.n)
		for i := range c.n {
			x[i], y[i] = 100, 100
			if i < c.failing {
				x[i] = 90 - float64(i)
			}
		}
		want := choose(c.n, c.failing) / choose(2*c.n, c.failing)
		near(t, "p", rank(x, y).Lower/want, 1, 1e-9)
	}
}

func TestTheExactAndTheApproximatedPMeetWithManyTies(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	x, y := make([]float64, 20), make([]float64, 20)
	for range 20 {
		for i := range x {
			x[i], y[i] = float64(random.IntN(8)), float64(random.IntN(8))+float64(random.IntN(2))
		}
		groups := tiesOf(x, y)
		u := float64(len(x)*len(y)) * (rank(x, y).Delta + 1) / 2
		deviation := math.Sqrt(400.0 / 12 * (41 - tieTerm(groups)/(40*39)))
		near(t, "p of higher", rank(x, y).Higher, above((u-200-0.5)/deviation), 0.01)
	}
}

// The critical values are those of the published tables of the test: with at most so high a U the two-sided p is at most
// 0.05 or 0.01, and with one more it is not.
func TestCriticalValuesAreThoseOfTheTables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, m, u int
		alpha   float64
	}{
		{5, 5, 2, 0.05}, {8, 8, 13, 0.05}, {10, 10, 23, 0.05}, {12, 12, 37, 0.05}, {20, 20, 127, 0.05}, {7, 12, 18, 0.05},
		{5, 5, 0, 0.01}, {8, 8, 7, 0.01}, {10, 10, 16, 0.01}, {12, 12, 27, 0.01}, {20, 20, 105, 0.01},
	} {
		counts := orders(c.n, c.m)
		if p, next := 2*share(counts, 0, c.u), 2*share(counts, 0, c.u+1); p > c.alpha || next <= c.alpha {
			t.Errorf("%d and %d: p of U = %d is %v, of the next %v; the tables say that %v lies between", c.n, c.m, c.u, p, next, c.alpha)
		}
	}
}

// The example of Mann and Whitney's test in the documentation of SciPy (scipy.stats.mannwhitneyu), whose exact p is
// published there: ages of diagnosis of 5 men and 4 women, U = 17, two-sided p = 0.1111; 0.1114 by the normal approximation.
func TestAPublishedExample(t *testing.T) {
	t.Parallel()
	men, women := []float64{19, 22, 16, 29, 24}, []float64{20, 11, 17, 12}
	got := rank(men, women)
	near(t, "two-sided p", 2*got.Higher, 1.0/9, 1e-12)
	near(t, "delta", got.Delta, 2*17.0/20-1, 1e-12)
	near(t, "the normal approximation", 2*above((17-10-0.5)/math.Sqrt(20.0*10/12)), 0.11134688653314041, 1e-12)
}

func TestTheExactAndTheApproximatedPMeet(t *testing.T) {
	t.Parallel()
	counts := orders(maxExact, maxExact)
	for u := range counts {
		mean, deviation := maxExact*maxExact/2.0, math.Sqrt(maxExact*maxExact*(2*maxExact+1)/12.0)
		near(t, "the normal approximation", above((float64(u)-mean-0.5)/deviation), share(counts, u, len(counts)-1), 0.0025)
	}
}

func TestTheSameValuesAreNoDifference(t *testing.T) {
	t.Parallel()
	same := []float64{100, 100, 100, 100, 100, 100, 100, 100}
	if got := rank(same, same); got != (ranked{Higher: 1, Lower: 1}) {
		t.Errorf("got %+v", got)
	}
}

func TestOneOutlierIsNoDifference(t *testing.T) {
	t.Parallel()
	x := []float64{10, 11, 12, 13, 14, 15, 16, 5000}
	y := []float64{10.5, 11.5, 12.5, 13.5, 14.5, 15.5, 16.5, 17.5}
	if got := rank(x, y); got.Higher < 0.3 {
		t.Errorf("got %+v", got)
	}
}

func TestMiddles(t *testing.T) {
	t.Parallel()
	near(t, "the median", median([]float64{9, 1, 2}), 2, 0)
	near(t, "the median of four", median([]float64{9, 1, 2, 4}), 3, 0)
	near(t, "the median of huge values", median([]float64{math.MaxFloat64, math.MaxFloat64}), math.MaxFloat64, 0)
	near(t, "the mean of huge values", mean([]float64{math.MaxFloat64, math.MaxFloat64}), math.MaxFloat64, 0)
	near(t, "the mean", mean([]float64{9, 1, 2}), 4, 0)
}

func BenchmarkRankWithTies(b *testing.B) {
	x, y := make([]float64, 12), make([]float64, 12)
	for i := range x {
		x[i], y[i] = 100, 100
	}
	x[0], x[1], x[2], y[0] = 98, 96, 98, 98
	for b.Loop() {
		rank(x, y)
	}
}
