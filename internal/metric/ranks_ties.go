package metric

import (
	"cmp"
	"slices"
)

// maxSteps bounds the work of counting orders with ties: some milliseconds. Up to 20 samples a side it is never reached.
const maxSteps = 4_000_000

// ties is a group of equal values in both samples.
type ties struct {
	rank int // twice the rank that they share
	size int
}

// tiesOf returns the groups of equal values, a value of its own among them, in ascending order.
func tiesOf(x, y []float64) []ties {
	all := slices.Sorted(slices.Values(slices.Concat(x, y)))
	var groups []ties
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		groups = append(groups, ties{rank: i + j + 1, size: j - i})
		i = j
	}
	return groups
}

// tieTerm sums t^3-t over the groups of t equal values.
func tieTerm(groups []ties) float64 {
	sum := 0.0
	for _, g := range groups {
		t := float64(g.size)
		sum += t*t*t - t
	}
	return sum
}

// countable reports whether the orders of n and m values with these ties can be counted in few enough steps.
func countable(groups []ties, n, m int) bool {
	largest := slices.MaxFunc(groups, bySize)
	return (n+m-largest.size)*n*2*n*m <= maxSteps
}

func bySize(a, b ties) int { return cmp.Compare(a.size, b.size) }

// tiedOrders returns in how many of the choices of n of the values twice their U is 0, 1, ... 2nm. The groups are gone
// through one by one; for each number k of values that are chosen up to there, the sums of their ranks are counted. The
// largest group comes last, when it is known how many of it are left to choose.
func tiedOrders(groups []ties, n int) []float64 {
	groups = slices.SortedFunc(slices.Values(groups), bySize)
	total := 0
	for _, g := range groups {
		total += g.size
	}
	// sums[k] counts the choices of k values by twice their U against all others, which is twice the sum of their ranks less
	// k(k+1).
	sums := make([][]float64, n+1)
	for k := range sums {
		sums[k] = make([]float64, 2*k*(total-k)+1)
	}
	sums[0][0] = 1
	for i, g := range groups {
		least := 1
		if i == len(groups)-1 {
			least = n
		}
		for k := n; k >= least; k-- { // downwards: fewer values are still those without this group
			ways := 1.0 // to choose j of the group
			for j := 1; j <= min(g.size, k); j++ {
				ways = ways * float64(g.size-j+1) / float64(j)
				before := k - j
				shift := before*(before+1) + j*g.rank - k*(k+1)
				for u, count := range sums[before] {
					if count != 0 {
						sums[k][u+shift] += ways * count
					}
				}
			}
		}
	}
	return sums[n]
}
