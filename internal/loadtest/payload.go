package loadtest

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Payload is what a webhook says, as Flagger sends it.
type Payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     string            `json:"phase"`
	Checksum  string            `json:"checksum"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// ParsePayload reads the body of a webhook. Fields that it does not know are no problem: callers may be newer. The error
// lists everything that is wrong.
func ParsePayload(body []byte) (Payload, error) {
	var p Payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Payload{}, fmt.Errorf("read the payload: %w", err)
	}
	return p, p.identity().err()
}

// identity returns what is wrong with the name and namespace.
func (p Payload) identity() Problems {
	var problems Problems
	if p.Name == "" {
		problems.addf("name is empty: it must be that of a canary")
	}
	if p.Namespace == "" {
		problems.addf("namespace is empty: it must be that of the canary")
	}
	return problems
}

// kindName returns the type of the task; like Flagger's, a task without one is a command.
func (p Payload) kindName() string {
	if kind, set := p.Metadata["type"]; set {
		return kind
	}
	return "cmd"
}

// Background reports whether callers are not kept waiting for the end of such a task: load has to run while the analysis
// does.
func (p Payload) Background() bool {
	return kinds[p.kindName()].background
}

// ReturnsOutput reports whether the caller wants what the task has written.
func (p Payload) ReturnsOutput() bool {
	yes, err := strconv.ParseBool(p.Metadata["returnCmdOutput"])
	return err == nil && yes
}

// reader takes values out of metadata and collects what is wrong with them.
type reader struct {
	metadata map[string]string
	options  *Options
	Problems
}

// text returns a value, which may be empty.
func (r *reader) text(key string) string {
	return r.metadata[key]
}

// required returns a value that must not be empty.
func (r *reader) required(key string) string {
	value := r.metadata[key]
	if value == "" {
		r.addf("metadata.%s is empty: type %s needs it", key, Payload{Metadata: r.metadata}.kindName())
	}
	return value
}

// flag returns a boolean; false when it is not set.
func (r *reader) flag(key string) bool {
	value, set := r.metadata[key]
	if !set || value == "" {
		return false
	}
	yes, err := strconv.ParseBool(value)
	if err != nil {
		r.addf("metadata.%s is %q: allowed are true and false", key, short(value))
	}
	return yes
}

// integer is a number in metadata.
type integer struct {
	key            string
	or, least, top int
}

// integer returns a number, or its default when it is not set.
func (r *reader) integer(i integer) int {
	value, set := r.metadata[i.key]
	if !set || value == "" {
		return i.or
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < i.least || n > i.top {
		r.addf("metadata.%s is %q: allowed is a whole number from %d to %d", i.key, short(value), i.least, i.top)
		return i.or
	}
	return n
}
