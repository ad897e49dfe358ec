package loadtest

import (
	"sync"
	"time"
)

// Result is what has become of a task. The zero value has not passed.
type Result struct {
	ID        string // of this run of the task
	Name      string // of the canary
	Namespace string
	Phase     string
	Type      string
	Task      string // what was done, without secrets
	Started   time.Time
	Elapsed   time.Duration

	Passed  bool
	Message string   // why it has not passed, in one line
	Notes   []string // what one should know about a result that may have passed
	Output  string   // what the task has written, at most Options.MaxOutput bytes and a line that says so; it is data
	Log     bool     // the output was asked to be logged
	Load    *Load    // the figures of generated load; nil of other tasks
}

// results are the last ones, oldest first.
type results struct {
	mu   sync.Mutex
	keep int
	list []Result
}

func (r *results) add(one Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) >= r.keep {
		r.list = append(r.list[:0:0], r.list[len(r.list)-r.keep+1:]...)
	}
	r.list = append(r.list, one)
}

func (r *results) all() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Result(nil), r.list...)
}
