package loadtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// job is the part of a task that its type decides.
type job interface {
	// run does it, until it is done or ctx ends. The error says why nobody knows whether it would have passed.
	run(ctx context.Context) (outcome, error)
	// String describes it in one line, without secrets.
	String() string
}

// outcome is what a job has come to.
type outcome struct {
	passed  bool
	message string // why it has not passed
	output  string
	load    *Load
	notes   []string
}

// kind is a type of tasks.
type kind struct {
	parse      func(*reader) job // nothing but problems in the reader when it cannot
	background bool              // callers are not kept waiting
}

// task is a payload that may run.
type task struct {
	payload Payload
	kind    string
	job     job
	log     bool
	hash    string
}

// parse makes a task of a payload. The error lists everything that is wrong.
func (o *Options) parse(p Payload) (*task, error) {
	if o.Namespaces != nil && p.Namespace != "" && !o.Namespaces.MatchString(p.Namespace) {
		return nil, fmt.Errorf("%w: %q, allowed are those that match %q", ErrForbidden, short(p.Namespace), o.Namespaces)
	}
	r := &reader{metadata: p.Metadata, options: o, Problems: p.identity()}
	if len(p.Metadata) == 0 {
		r.addf("metadata is empty: it must say the type of the task and what it needs, like cmd")
		return nil, r.err()
	}
	name := p.kindName()
	of, known := kinds[name]
	if !known {
		r.addf("metadata.type is %q: allowed are %s", short(name), listed(slices.Collect(maps.Keys(kinds))))
		return nil, r.err()
	}
	t := &task{payload: p, kind: name, job: of.parse(r), log: r.flag("logCmdOutput"), hash: p.hash()}
	r.flag("returnCmdOutput")
	return t, r.err()
}

// hash identifies what a task does, however its output is shown and in whatever phase of the rollout it is asked for.
func (p Payload) hash() string {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %q", p.Namespace, p.Name) // a hash takes everything
	for _, key := range slices.Sorted(maps.Keys(p.Metadata)) {
		if key != "logCmdOutput" && key != "returnCmdOutput" {
			_, _ = fmt.Fprintf(sum, " %q=%q", key, p.Metadata[key])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
