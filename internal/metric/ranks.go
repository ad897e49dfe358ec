package metric

import (
	"math"
	"slices"
)

// maxExact is the most samples of a side for which the distribution of U without ties is counted instead of approximated:
// below it, the number of orders is an integer that a float64 holds exactly.
const maxExact = 20

// ranked is what the ranks of two samples say of them.
type ranked struct {
	Higher float64 // p: how probable so high an x is when both are of one distribution
	Lower  float64 // p: the same for so low an x
	Delta  float64 // Cliff's delta: 1 when every x is above every y, -1 when below
}

// rank holds x against y with the Mann-Whitney U test (H. B. Mann and D. R. Whitney, "On a Test of Whether one of Two Random
// Variables is Stochastically Larger than the Other", 1947), which asks for the order of the values only: one outlier weighs
// no more than one sample. Up to 20 samples a side, and above that while most of the values are equal, the distribution of U
// is counted exactly, given the ties that there are; else it is approximated by the normal one, with a correction for ties
// (M. Hollander and D. A. Wolfe, "Nonparametric Statistical Methods", section 4.1) and for continuity. The approximation does
// not do where most values are equal, as success rates of 100 % are: it finds differences at half their true p.
//
// The size of the effect is Cliff's delta (N. Cliff, "Dominance statistics: Ordinal analyses to answer ordinal questions",
// 1993): the share of the pairs in which x is above y, less the share in which it is below.
//
// Neither side may be empty or hold NaN.
func rank(x, y []float64) ranked {
	n, m := float64(len(x)), float64(len(y))
	u := 0.0 // of x: the pairs in which it is above, ties by half
	for _, a := range x {
		for _, b := range y {
			switch {
			case a > b:
				u++
			case a == b:
				u += 0.5
			}
		}
	}
	r := ranked{Delta: 2*u/(n*m) - 1}
	groups := tiesOf(x, y)
	switch {
	case len(groups) == len(x)+len(y) && len(x) <= maxExact && len(y) <= maxExact:
		counts := orders(len(x), len(y))
		r.Lower, r.Higher = share(counts, 0, int(u)), share(counts, int(u), len(counts)-1)
		return r
	case len(groups) < len(x)+len(y) && countable(groups, len(x), len(y)):
		counts := tiedOrders(groups, len(x))
		r.Lower, r.Higher = share(counts, 0, int(2*u)), share(counts, int(2*u), len(counts)-1)
		return r
	}
	ties := tieTerm(groups)
	variance := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	if variance <= 0 { // all values are the same
		r.Lower, r.Higher = 1, 1
		return r
	}
	z := func(u float64) float64 { return (u - n*m/2 - 0.5) / math.Sqrt(variance) }
	r.Higher, r.Lower = above(z(u)), above(z(n*m-u))
	return r
}

// above is the share of the normal distribution above z.
func above(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// orders returns in how many of the orders of n and m values without ties U is 0, 1, ... n*m. They are the coefficients of
// the Gaussian binomial (n+m over n), which is multiplied out factor by factor.
func orders(n, m int) []float64 {
	counts := make([]float64, n*m+1)
	counts[0] = 1
	for i := 1; i <= n; i++ {
		for u := len(counts) - 1; u >= m+i; u-- { // times 1 - q^(m+i)
			counts[u] -= counts[u-m-i]
		}
		for u := i; u < len(counts); u++ { // by 1 - q^i
			counts[u] += counts[u-i]
		}
	}
	return counts
}

func share(counts []float64, from, to int) float64 {
	part, all := 0.0, 0.0
	for u, n := range counts {
		all += n
		if u >= from && u <= to {
			part += n
		}
	}
	return part / all
}

// mean and median are of at least one value.
func mean(values []float64) float64 {
	sum, n := 0.0, float64(len(values))
	for _, v := range values {
		sum += v
	}
	if !math.IsInf(sum, 0) {
		return sum / n
	}
	sum = 0 // of huge values
	for _, v := range values {
		sum += v / n
	}
	return sum
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return sorted[middle-1]/2 + sorted[middle]/2 // the sum of two large values may not be finite
}
