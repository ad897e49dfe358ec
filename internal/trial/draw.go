package trial

import (
	"math"
	"math/rand/v2"
)

// normalFrom is the expected number from which on a count is drawn from the normal distribution, which then is less than
// one in a hundred away from the exact one.
const normalFrom = 40

// poisson draws a number of events of which mean are expected.
func poisson(r *rand.Rand, mean float64) int {
	if mean <= 0 {
		return 0
	}
	if mean >= normalFrom {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, p := 0, r.Float64()
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= r.Float64()
	}
	return n
}

// binomial draws how many of n events are of a kind of which there is the share p.
func binomial(r *rand.Rand, n int, p float64) int {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	}
	mean := float64(n) * p
	if mean >= normalFrom {
		return min(n, max(0, int(math.Round(mean+math.Sqrt(mean*(1-p))*r.NormFloat64()))))
	}
	// Inversion: the probabilities of 0, 1, 2, ... are summed up until they reach a number between 0 and 1.
	odds := p / (1 - p)
	probability := math.Pow(1-p, float64(n))
	sum, at := probability, r.Float64()
	k := 0
	for ; sum < at && k < n; k++ {
		probability *= odds * float64(n-k) / float64(k+1)
		sum += probability
	}
	return k
}

// swings is a factor around 1 that moves slowly: its logarithm is an autoregressive process.
type swings struct {
	size, state float64
	begun       bool
}

// inertia is how much of a swing is left one tick later. Some ten ticks, about one window, forget it.
const inertia = 0.9

func (s *swings) next(r *rand.Rand) float64 {
	if s.size <= 0 {
		return 1
	}
	if !s.begun {
		s.begun, s.state = true, r.NormFloat64()
	}
	s.state = inertia*s.state + math.Sqrt(1-inertia*inertia)*r.NormFloat64()
	return math.Exp(s.size * s.state)
}
