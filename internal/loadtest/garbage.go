package loadtest

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// roomForGarbage is how many bytes of garbage load may leave before it is collected. In a process with little live memory the
// collector of Go runs as often as that doubles, many times a second under load, at the cost of a twentieth of the requests.
const roomForGarbage = 64 << 20

// leisure makes the collector run less often while load is made, for all of the process: its setting is one.
var leisure struct {
	sync.Mutex
	loads  int
	before int  // the percentage that was set when the first load began
	marked bool // the next collection is waited for
}

// unhurried begins load, and returns what ends it. Beside other load it changes nothing. A process whose GOGC is set has been
// given a percentage on purpose, and keeps it; GOMEMLIMIT holds in any case.
func unhurried() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	leisure.Lock()
	defer leisure.Unlock()
	if leisure.loads++; leisure.loads == 1 {
		leisure.before = debug.SetGCPercent(garbagePercent(liveBytes()))
		afterCollection()
	}
	return sync.OnceFunc(func() {
		leisure.Lock()
		defer leisure.Unlock()
		if leisure.loads--; leisure.loads == 0 {
			debug.SetGCPercent(leisure.before)
		}
	})
}

// mark is an object that nobody keeps. It has a pointer, so that it is not one of several in a block that is kept for another.
type mark struct{ _ *int }

// afterCollection sets the percentage anew after each collection, as long as there is load: what is live has changed.
func afterCollection() {
	if leisure.marked {
		return // by a load before
	}
	leisure.marked = true
	runtime.AddCleanup(&mark{}, func(struct{}) {
		leisure.Lock()
		defer leisure.Unlock()
		leisure.marked = false
		if leisure.loads > 0 {
			debug.SetGCPercent(garbagePercent(liveBytes()))
			afterCollection()
		}
	}, struct{}{})
}

// liveBytes is what the last collection has left.
func liveBytes() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64()
}

// garbagePercent is how much garbage there may be on so many live bytes, in percent of them: that which there is room for, and no
// less than Go's own 100. Without a collection so far nothing is known to live, which is taken for the 4 MiB of Go's smallest heap.
func garbagePercent(live uint64) int {
	const smallest = 4 << 20
	return max(100, int(100*roomForGarbage/max(live, smallest)))
}
