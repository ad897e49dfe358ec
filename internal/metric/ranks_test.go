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
	var choose func(from, left int)
	choose = func(from, left int) {
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
			choose(i+1, left-1)
			is[i] = false
		}
	}
	clear(is)
	choose(0, len(x))
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

func TestPWithTiesIsNearTheShareOfTheOrders(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		x, y := make([]float64, 8), make([]float64, 8)
		for i := range x {
			x[i], y[i] = float64(random.IntN(6)), float64(random.IntN(6))+float64(random.IntN(2))
		}
		higher, lower := enumerated(x, y)
		got := rank(x, y)
		near(t, "p of higher", got.Higher, higher, 0.035)
		near(t, "p of lower", got.Lower, lower, 0.035)
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
