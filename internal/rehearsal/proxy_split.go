package rehearsal

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Endpoint is one ready pod of a version, and where it listens.
type Endpoint struct {
	Address  string // host:port
	Workload string
	Pod      string
}

// Split says where requests go.
type Split struct {
	Canary  int       // percent of the requests that goes to the canary
	Mirror  int       // percent of the requests that is copied to the canary, whose answers are thrown away
	Cookies [2]string // by version: what its answers set as Set-Cookie; empty for none
}

// Rule splits the requests that it matches in a way of their own.
type Rule struct {
	Split
	Match func(*http.Request) bool
}

// Routing is all that a Proxy goes by. The proxy keeps it: do not modify it afterwards.
type Routing struct {
	Split   Split
	Rules   []Rule // looked at before Split; the first that matches counts
	Primary Backend
	Canary  Backend
}

// Backend is one version as the router sees it.
type Backend struct {
	Endpoints []Endpoint // the ready pods; without one, requests are answered by 503
	NoTraffic bool       // a fault: the requests that are meant for this version go to the other
}

// epoch is the time from one change of the split to the next.
type epoch struct {
	canary   int
	since    time.Time
	requests atomic.Uint64 // decided by weight
	canaried people        // who was on the canary since it last had no weight
	mirrored atomic.Uint64 // candidates for a copy
	counts   [2]counters   // by version
}

// lane is a routing with its counters: what a request reads once, so that it sees one and the same state of the world.
type lane struct {
	Routing
	epoch *epoch
	turn  [2]*atomic.Uint64 // by version: whose turn it is among its endpoints
}

// share reports whether the nth of a row of requests, counted from zero, belongs to a share of weight percent. Of the
// first n requests n*weight/100 do, to the nearest whole one, for every n.
func share(n uint64, weight int) bool {
	w := uint64(min(max(weight, 0), 100))
	return ((n+1)*w+50)/100 > (n*w+50)/100
}

func (l *lane) backend(v Version) *Backend {
	if v == Canary {
		return &l.Canary
	}
	return &l.Primary
}

// split returns the split that a request is subject to.
func (l *lane) split(r *http.Request) *Split {
	for i := range l.Rules {
		if l.Rules[i].Match(r) {
			return &l.Rules[i].Split
		}
	}
	return &l.Split
}

// version decides where a request goes.
func (l *lane) version(split *Split) Version {
	v := Primary
	switch {
	case split.Canary >= 100:
		v = Canary
	case split.Canary > 0 && share(l.epoch.requests.Add(1)-1, split.Canary):
		v = Canary
	}
	switch {
	case v == Canary && l.Canary.NoTraffic:
		return Primary
	case v == Primary && l.Primary.NoTraffic:
		return Canary
	}
	return v
}

// mirrors reports whether a request is copied to the canary too. Only requests without a body are: a copy of a body would
// have to be held in memory.
func (l *lane) mirrors(split *Split, r *http.Request) bool {
	return split.Mirror > 0 && !l.Canary.NoTraffic && len(l.Canary.Endpoints) > 0 &&
		(r.Body == nil || r.Body == http.NoBody) && share(l.epoch.mirrored.Add(1)-1, split.Mirror)
}

// endpoint returns the next ready endpoint of a version, or false.
func (l *lane) endpoint(v Version) (Endpoint, bool) {
	all := l.backend(v).Endpoints
	if len(all) == 0 {
		return Endpoint{}, false
	}
	return all[(l.turn[v].Add(1)-1)%uint64(len(all))], true
}
