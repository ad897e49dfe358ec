package loadtest

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// Defaults of Options.
const (
	DefaultTimeout     = time.Hour // as Flagger's load tester has it
	DefaultMaxOutput   = 64 << 10
	DefaultConcurrency = 16
	DefaultQueue       = 10_000
	DefaultKeep        = 100

	defaultGrace = 2 * time.Second
)

// Doer sends a request and reads the whole answer. httpx.Client is one.
type Doer interface {
	Do(ctx context.Context, req *http.Request) (*httpx.Response, error)
}

// Options say what a Tester may do. The zero value starts no process and reads no file.
type Options struct {
	// Exec lets tasks start processes: shell commands, helm and kubectl. Whoever may write a Canary may then run anything
	// here.
	Exec bool
	// Env names the variables of the environment that processes get, next to PATH and HOME.
	Env []string
	// Dir is the working directory of processes; empty is that of this one.
	Dir string
	// Files is the directory below which tasks may name files: the body of hey's -D, the key of concord. Empty is none. It
	// is not needed with Exec, by which every file can be read anyway.
	Files string

	// Namespaces is what the namespace of a canary must match, and that of a target in the cluster; nil allows all. As in
	// Flagger's -namespace-regexp it may match anywhere in the name, unless it says ^ and $.
	Namespaces *regexp.Regexp

	Timeout     time.Duration // of a task, from its start; 0 is DefaultTimeout
	MaxOutput   int           // bytes of output that are kept of a task; 0 is DefaultMaxOutput
	Concurrency int           // tasks that run at once, the others wait; 0 is DefaultConcurrency
	Queue       int           // tasks that run and wait, beyond which more are refused; 0 is DefaultQueue
	Keep        int           // results that are kept; 0 is DefaultKeep

	// HTTP sends the requests of every type but hey. It must not follow redirects, lest an answer from elsewhere pass for
	// one of the canary. Nil is a client of its own.
	HTTP Doer
	// Address says where a host and port are reached, when not by their own name: at a local port that is forwarded to the
	// Service, say. The Host header and the name in TLS stay. Nil reaches all by their names. hey and ghz ask it, once for a task.
	Address func(ctx context.Context, hostport string) (string, error)

	// StandIn says that what is reached only stands in for the real thing, without TLS, and answers every method of
	// gRPC: of those that only the real server could describe, ghz sends empty messages then.
	StandIn bool

	// Done is told the result of every task. It may be nil, must be safe for concurrent use, and holds up the task.
	Done func(Result)
	// Undone is told of every task that has no result, and why: nobody else hears of one that was only started. It may be nil,
	// and must be safe for concurrent use.
	Undone func(Payload, error)

	grace time.Duration // between SIGTERM and SIGKILL
}

// withDefaults returns the options with every zero replaced, or what is wrong with them.
func (o Options) withDefaults() (Options, error) {
	var problems Problems
	for _, n := range []struct {
		name  string
		value *int
		or    int
	}{
		{"MaxOutput", &o.MaxOutput, DefaultMaxOutput},
		{"Concurrency", &o.Concurrency, DefaultConcurrency},
		{"Queue", &o.Queue, DefaultQueue},
		{"Keep", &o.Keep, DefaultKeep},
	} {
		if *n.value < 0 {
			problems.addf("%s is %d: allowed is 1 or more, or 0 for %d", n.name, *n.value, n.or)
		}
		if *n.value == 0 {
			*n.value = n.or
		}
	}
	if o.Timeout < 0 {
		problems.addf("Timeout is %s: allowed is more than 0, or 0 for %s", o.Timeout, DefaultTimeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	for _, name := range o.Env {
		if name == "" || strings.ContainsAny(name, "= ") {
			problems.addf("Env has %q: allowed is the name of a variable, without its value", short(name))
		}
	}
	if o.HTTP == nil {
		o.HTTP = httpx.New(httpx.Options{NoRedirects: true, Timeout: mostTry}) // every caller sets a time of its own
	}
	if o.grace == 0 {
		o.grace = defaultGrace
	}
	return o, problems.err()
}
