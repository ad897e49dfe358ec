package rehearsal

import (
	"fmt"
	"math"
	"time"

	"k8s.io/utils/clock"
)

// The speeds that a Clock can run at.
const (
	MinSpeed = 0.1
	MaxSpeed = 3600
)

// Clock is a clock that starts at the present and runs faster than time does. Durations that it is given, and the times
// that it tells, are its own.
type Clock struct {
	speed  float64
	origin time.Time // with the monotonic reading, so that a change of the wall clock does not move this one
	epoch  time.Time // origin without it: times told are then compared by what they say
}

var _ clock.WithTickerAndDelayedExecution = (*Clock)(nil)

// NewClock returns a clock that runs speed times faster than time does.
func NewClock(speed float64) (*Clock, error) {
	if !(speed >= MinSpeed && speed <= MaxSpeed) { // NaN is neither
		return nil, fmt.Errorf("speed: %v is not between %v and %v", speed, MinSpeed, MaxSpeed)
	}
	now := time.Now()
	return &Clock{speed: speed, origin: now, epoch: now.Round(0)}, nil
}

// Speed returns how many times faster than time the clock runs.
func (c *Clock) Speed() float64 { return c.speed }

// Real returns how long d takes in real time, rounded up so that a timer is never early.
func (c *Clock) Real(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(math.Min(math.Ceil(float64(d)/c.speed), math.MaxInt64/2))
}

// Now returns the time that the clock tells.
func (c *Clock) Now() time.Time {
	return c.epoch.Add(time.Duration(float64(time.Since(c.origin)) * c.speed))
}

// Since returns how long ago t was, by this clock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Sleep returns after d.
func (c *Clock) Sleep(d time.Duration) { time.Sleep(c.Real(d)) }

// After returns a channel that tells the time once, after d.
func (c *Clock) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).C() }

// NewTimer returns a timer that tells the time once, after d.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	t := &clockTimer{clock: c, c: make(chan time.Time, 1)}
	t.start(d)
	return t
}

// AfterFunc calls f in a goroutine of its own after d. The channel of the timer is nil.
func (c *Clock) AfterFunc(d time.Duration, f func()) clock.Timer {
	t := &clockTimer{clock: c, f: f}
	t.start(d)
	return t
}

// Tick returns the channel of a ticker that nobody can stop.
func (c *Clock) Tick(d time.Duration) <-chan time.Time { return c.NewTicker(d).C() }

// NewTicker returns a ticker that tells the time every d. Ticks that nobody takes are dropped. It panics when d is not
// above zero, as time.NewTicker does.
func (c *Clock) NewTicker(d time.Duration) clock.Ticker {
	if d <= 0 {
		panic("rehearsal: interval of a ticker is not above zero")
	}
	t := &clockTicker{clock: c, every: d, c: make(chan time.Time, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due = c.Now().Add(d)
	t.timer = time.AfterFunc(c.Real(d), t.fire)
	return t
}
