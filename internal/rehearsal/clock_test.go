package rehearsal

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func mustClock(t testing.TB, speed float64) *Clock {
	t.Helper()
	c, err := NewClock(speed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClockRefusesASpeedThatIsOutOfRange(t *testing.T) {
	t.Parallel()
	for _, speed := range []float64{0, -1, 0.01, 3601, math.NaN(), math.Inf(1)} {
		if _, err := NewClock(speed); err == nil {
			t.Errorf("NewClock(%v) is no error", speed)
		}
	}
}

func TestClockTellsItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := mustClock(t, 60)
		start := c.Now()
		if !start.Equal(time.Now()) {
			t.Errorf("starts at %v, not at the present", start)
		}
		time.Sleep(time.Second)
		if got := c.Since(start); got != time.Minute {
			t.Errorf("a second is %v, want 1m", got)
		}
		real := time.Now()
		c.Sleep(30 * time.Second)
		if got := time.Since(real); got != 500*time.Millisecond {
			t.Errorf("30 s took %v, want 500ms", got)
		}
	})
}

func TestClockTimersAreNeverEarly(t *testing.T) {
	t.Parallel()
	for _, speed := range []float64{0.1, 1, 3, 7.3, 60, 999.9, 3600} {
		synctest.Test(t, func(t *testing.T) {
			c := mustClock(t, speed)
			for _, d := range []time.Duration{1, 999, time.Millisecond + 1, time.Second, 17 * time.Minute} {
				start := c.Now()
				told := <-c.After(d)
				if late := told.Sub(start) - d; late < 0 || late > time.Duration(speed)+1 {
					t.Errorf("at speed %v, %v told the time %v after it was due", speed, d, late)
				}
			}
		})
	}
}

func TestClockTimerStopsAndStartsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := mustClock(t, 10)
		timer := c.NewTimer(10 * time.Second)
		if !timer.Stop() {
			t.Error("Stop of a running timer says that it has fired")
		}
		if timer.Stop() {
			t.Error("Stop of a stopped timer says that it was running")
		}
		time.Sleep(5 * time.Second)
		select {
		case <-timer.C():
			t.Error("a stopped timer fired")
		default:
		}
		if timer.Reset(20 * time.Second) {
			t.Error("Reset of a stopped timer says that it was running")
		}
		time.Sleep(3 * time.Second) // it fires, and nobody takes it
		start := c.Now()
		if !timer.Reset(30 * time.Second) {
			t.Error("Reset of a timer whose time nobody took says that it had fired")
		}
		if told := <-timer.C(); told.Sub(start) != 30*time.Second {
			t.Errorf("told %v after the reset, want 30s: a stale time was left", told.Sub(start))
		}
	})
}

func TestClockAfterFunc(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := mustClock(t, 10)
		start := time.Now()
		called := make(chan time.Duration, 2)
		c.AfterFunc(10*time.Second, func() { called <- time.Since(start) })
		stopped := c.AfterFunc(5*time.Second, func() { called <- -1 })
		stopped.Stop()
		if got := <-called; got != time.Second {
			t.Errorf("called after %v, want 1s", got)
		}
	})
}

func TestClockTickerKeepsTimeWhenNobodyListens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := mustClock(t, 10)
		start := c.Now()
		ticker := c.NewTicker(10 * time.Second)
		for i := 1; i <= 3; i++ {
			if told := <-ticker.C(); told.Sub(start) != time.Duration(i)*10*time.Second {
				t.Errorf("tick %d at %v", i, told.Sub(start))
			}
		}
		time.Sleep(2500 * time.Millisecond) // ticks at 40 s and 50 s: one is kept
		if told := <-ticker.C(); told.Sub(start) != 40*time.Second {
			t.Errorf("the tick that was kept is that of %v, want 40s", told.Sub(start))
		}
		if told := <-ticker.C(); told.Sub(start) != 60*time.Second {
			t.Errorf("the next tick is at %v, want 1m0s", told.Sub(start))
		}
		ticker.Stop()
		time.Sleep(10 * time.Second)
		select {
		case <-ticker.C():
			t.Error("a stopped ticker ticked")
		default:
		}
	})
}
