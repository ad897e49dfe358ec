package rehearsal

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Version is one of the two versions between which a rollout splits the traffic.
type Version int8

// The versions. The zero value is the primary.
const (
	Primary Version = iota
	Canary
)

// String returns the name of the version.
func (v Version) String() string {
	if v == Canary {
		return "canary"
	}
	return "primary"
}

// MarshalText writes the name of the version.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// faultKind is what goes wrong.
type faultKind string

// The kinds of faults.
const (
	faultErrors      faultKind = "errors"
	faultLatency     faultKind = "latency"
	faultCrash       faultKind = "crash"
	faultNoTraffic   faultKind = "no-traffic"
	faultMetricsDown faultKind = "metrics-down"
)

// Fault is something that goes wrong in a rehearsal.
type Fault struct {
	Version Version // whom it concerns; metrics-down concerns nobody in particular
	Kind    faultKind
	Percent float64       // of errors: the share of the requests, above 0 to 100
	Latency time.Duration // of latency, in real time: what a request takes longer
	From    int           // in force while the canary's weight is at least this
}

// String returns the fault as it is written on the command line.
func (f Fault) String() string {
	var b strings.Builder
	if f.Version == Primary && f.Kind != faultMetricsDown {
		b.WriteString("primary:")
	}
	b.WriteString(string(f.Kind))
	switch f.Kind {
	case faultErrors:
		b.WriteString("=" + strconv.FormatFloat(f.Percent, 'g', -1, 64) + "%")
	case faultLatency:
		b.WriteString("=" + f.Latency.String())
	case faultCrash, faultNoTraffic, faultMetricsDown:
	}
	if f.From > 0 {
		fmt.Fprintf(&b, "@%d", f.From)
	}
	return b.String()
}

// Behaviour is what is wrong with one version at one moment. The zero value is nothing.
type Behaviour struct {
	ErrorPercent float64       // share of the requests that is answered by 500
	Latency      time.Duration // what each request takes longer, in real time
	Crash        bool          // it takes no connections
	NoTraffic    bool          // the router sends it no requests
}

// Faults is all that goes wrong in a rehearsal, in any combination. Of several faults of a kind the worst counts.
type Faults []Fault

// For returns what is wrong with a version. weight is the canary's present weight, and peak the highest that it had: what
// crashed does not get up again when the traffic leaves it.
func (all Faults) For(v Version, weight, peak int) Behaviour {
	var b Behaviour
	for _, f := range all {
		if f.Version != v {
			continue
		}
		now := weight >= f.From
		switch f.Kind {
		case faultErrors:
			if now {
				b.ErrorPercent = max(b.ErrorPercent, f.Percent)
			}
		case faultLatency:
			if now {
				b.Latency = max(b.Latency, f.Latency)
			}
		case faultCrash:
			b.Crash = b.Crash || max(weight, peak) >= f.From
		case faultNoTraffic:
			b.NoTraffic = b.NoTraffic || now
		case faultMetricsDown:
		}
	}
	return b
}

// MetricsDown reports whether the metrics server is down at the canary's present weight.
func (all Faults) MetricsDown(weight int) bool {
	for _, f := range all {
		if f.Kind == faultMetricsDown && weight >= f.From {
			return true
		}
	}
	return false
}

// Drill is what is wrong at one moment.
type Drill struct {
	Primary, Canary Behaviour
	MetricsDown     bool
}

// Injector applies faults as the canary's weight moves. It is safe for concurrent use.
type Injector struct {
	faults Faults
	mu     sync.Mutex
	peak   int
}

// NewInjector returns an injector of the faults, at weight zero.
func NewInjector(all Faults) *Injector { return &Injector{faults: all} }

// At returns what is wrong now that the canary has this weight.
func (i *Injector) At(weight int) Drill {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.peak = max(i.peak, weight)
	return Drill{
		Primary:     i.faults.For(Primary, weight, i.peak),
		Canary:      i.faults.For(Canary, weight, i.peak),
		MetricsDown: i.faults.MetricsDown(weight),
	}
}

// String returns the faults as they are written on the command line.
func (all Faults) String() string {
	texts := make([]string, len(all))
	for i, f := range all {
		texts[i] = f.String()
	}
	return strings.Join(texts, ",")
}
