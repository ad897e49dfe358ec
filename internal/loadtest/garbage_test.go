package loadtest

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheCollectorIsAsBeforeWhenTheLastLoadHasEnded(t *testing.T) {
	t.Setenv("GOGC", "")
	runtime.GC() // what tests before have left
	before := percentOfGarbage()
	first, second := unhurried(), unhurried()
	during := percentOfGarbage()
	first()
	first() // as a deferred end after an early one
	if one := percentOfGarbage(); during <= before || one != during {
		t.Errorf("%d before, %d with two loads, %d with one", before, during, one)
	}
	second()
	if after := percentOfGarbage(); after != before {
		t.Errorf("%d after, %d before", after, before)
	}
}

// What lives may grow in the course of a load. The room for garbage does not grow with it.
func TestTheCollectorKeepsUpWithWhatLives(t *testing.T) {
	t.Setenv("GOGC", "")
	defer unhurried()()
	keep := make([]byte, 2*roomForGarbage)
	deadline := time.Now().Add(time.Minute)
	for percentOfGarbage() != 100 {
		if time.Now().After(deadline) {
			t.Fatalf("%d %% of garbage on %d live bytes", percentOfGarbage(), len(keep))
		}
		runtime.GC()
	}
	runtime.KeepAlive(keep)
}

func TestAPercentageThatWasSetIsKept(t *testing.T) {
	t.Setenv("GOGC", "100")
	before := percentOfGarbage()
	defer unhurried()()
	if during := percentOfGarbage(); during != before {
		t.Errorf("%d before, %d during", before, during)
	}
}

func TestGarbageIsBounded(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 1600, 4 << 20: 1600, 16 << 20: 400, 64 << 20: 100, 1 << 30: 100} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d live bytes: %d %%, want %d %%", live, got, want)
		}
	}
}

// percentOfGarbage reads what there is no other way to read. Tests that call it are not parallel.
func percentOfGarbage() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}
