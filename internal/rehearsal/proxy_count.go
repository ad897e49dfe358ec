package rehearsal

import (
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
)

// Counts is what came of the requests to one version.
type Counts struct {
	Requests  uint64 `json:"requests"`  // finished
	Errors    uint64 `json:"errors"`    // of these: answered by a 5xx, or not at all
	Cancelled uint64 `json:"cancelled"` // given up by the client before they finished; not in Requests
}

// Period is what came of the requests that were routed while the canary had one weight.
type Period struct {
	Weight  int       `json:"weight"`
	Since   time.Time `json:"since"`
	Primary Counts    `json:"primary"`
	Canary  Counts    `json:"canary"`
}

// Traffic is what came of the requests of the users so far.
type Traffic struct {
	Primary Counts   `json:"primary"`
	Canary  Counts   `json:"canary"`
	Periods []Period `json:"periods"`

	// Direct and Mirrored are no user's: requests straight to a version's own Service, and copies.
	Direct   Counts `json:"direct"`
	Mirrored Counts `json:"mirrored"`

	Users          int `json:"users"`          // who sent a request
	Failed         int `json:"failed"`         // of these: who saw an error
	FailedByCanary int `json:"failedByCanary"` // of these: who saw an error of the canary

	OnCanary int `json:"onCanary"` // who was sent to the canary
	Wavered  int `json:"wavered"`  // of these: who was sent back to the primary while the canary still had a weight
}

// counters are Counts that are being counted.
type counters struct{ requests, errors, cancelled atomic.Uint64 }

func (c *counters) add(code int, cancelled bool) {
	if cancelled {
		c.cancelled.Add(1)
		return
	}
	c.requests.Add(1)
	if code >= 500 {
		c.errors.Add(1)
	}
}

func (c *counters) counts() Counts {
	errors := c.errors.Load() // before the requests, which are counted first: never more errors than requests
	return Counts{Requests: c.requests.Load(), Errors: errors, Cancelled: c.cancelled.Load()}
}

func (c Counts) plus(more Counts) Counts {
	return Counts{c.Requests + more.Requests, c.Errors + more.Errors, c.Cancelled + more.Cancelled}
}

// people is a set of user numbers from zero to a limit.
type people struct {
	limit int
	words []atomic.Uint64
}

func newPeople(limit int) people { return people{limit, make([]atomic.Uint64, (limit+63)/64)} }

// has reports whether a user is in the set.
func (p people) has(user int) bool {
	return user >= 0 && user < p.limit && p.words[user/64].Load()&(uint64(1)<<(user%64)) != 0
}

// follow remembers who was on the canary, and who did not stay there.
func (p *Proxy) follow(l *lane, ex *exchange) {
	if ex.version == Canary {
		l.epoch.canaried.add(ex.user)
		p.onCanary.add(ex.user)
	} else if ex.canaried && l.Split.Canary > 0 {
		p.wavered.add(ex.user)
	}
}

// add does nothing with a number that is out of range.
func (p people) add(user int) {
	if user < 0 || user >= p.limit {
		return
	}
	word, bit := &p.words[user/64], uint64(1)<<(user%64)
	if word.Load()&bit == 0 { // most are known already, and reading does not disturb the other processors
		word.Or(bit)
	}
}

// count returns how many people are in any of the sets, which have one limit.
func count(sets ...people) int {
	n := 0
	for i := range sets[0].words {
		var word uint64
		for _, set := range sets {
			word |= set.words[i].Load()
		}
		n += bits.OnesCount64(word)
	}
	return n
}

// Traffic returns what came of the requests so far. Requests count when they have finished.
func (p *Proxy) Traffic() Traffic {
	p.mu.Lock()
	epochs := slices.Clone(p.epochs)
	p.mu.Unlock()
	t := Traffic{Direct: p.direct.counts(), Mirrored: p.mirrored.counts()}
	for _, e := range epochs {
		period := Period{Weight: e.canary, Since: e.since, Primary: e.counts[Primary].counts(), Canary: e.counts[Canary].counts()}
		t.Primary, t.Canary = t.Primary.plus(period.Primary), t.Canary.plus(period.Canary)
		t.Periods = append(t.Periods, period)
	}
	t.OnCanary, t.Wavered = count(p.onCanary), count(p.wavered)
	t.Users, t.Failed, t.FailedByCanary = count(p.seen), count(p.failed[Primary], p.failed[Canary]), count(p.failed[Canary])
	return t
}
