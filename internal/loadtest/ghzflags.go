package loadtest

import (
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// ghzFlags are the flags of ghz as they were given, those without an effect left out.
type ghzFlags struct {
	set *pflag.FlagSet

	proto, protoset, call, imports                           string
	cacert, cert, key, cname, authority                      string
	skipTLS, insecure, async, compress, countErrors, dynamic bool
	binary, noFunctions, noTemplates                         bool
	load, crew                                               ramp
	requests, connections, skip, streamCount                 uint
	timeout, duration, most, connect, keepalive              time.Duration
	streamInterval, streamDuration                           time.Duration
	stop, format, output, config, balance, name              string
	data, dataFile, binaryFile, metadata, metadataFile       string
	reflectMetadata, mostReceived, mostSent                  string
}

// defineGHZ returns the flags of ghz v0.121.0 with their defaults. Those of its versions before 0.50 that meant the same have
// their old names, too, since what is written about load tests of gRPC still has them.
func defineGHZ() *ghzFlags {
	f := &ghzFlags{set: pflag.NewFlagSet("ghz", pflag.ContinueOnError)}
	f.set.SetOutput(io.Discard)
	f.set.Usage = func() {} // of --help, which is refused as what is not known
	f.defineCall()
	f.defineLoad()
	f.defineData()
	s := f.set
	s.StringVarP(&f.output, "output", "o", "", "")
	s.StringVarP(&f.format, "format", "O", "summary", "")
	s.StringVar(&f.config, "config", "", "")
	s.StringVar(&f.name, "name", "", "")
	for _, idle := range idleFlags {
		s.String(idle, "", "")
	}
	return f
}

// idleFlags are those without an effect here: the number of CPUs is not that of one load, and nothing is written to files.
var idleFlags = []string{"cpus", "debug", "tags"}

func (f *ghzFlags) defineCall() {
	s := f.set
	s.StringVar(&f.proto, "proto", "", "")
	s.StringVar(&f.protoset, "protoset", "", "")
	s.StringVar(&f.call, "call", "", "")
	s.StringVarP(&f.imports, "import-paths", "i", "", "")
	s.StringVar(&f.cacert, "cacert", "", "")
	s.StringVar(&f.cert, "cert", "", "")
	s.StringVar(&f.key, "key", "", "")
	s.StringVar(&f.cname, "cname", "", "")
	s.BoolVar(&f.skipTLS, "skipTLS", false, "")
	s.BoolVar(&f.insecure, "insecure", false, "")
	s.StringVar(&f.authority, "authority", "", "")
	s.UintVar(&f.connections, "connections", 1, "")
	s.DurationVar(&f.connect, "connect-timeout", 10*time.Second, "")
	s.DurationVar(&f.keepalive, "keepalive", 0, "")
	s.BoolVarP(&f.compress, "enable-compression", "e", false, "")
	s.StringVar(&f.balance, "lb-strategy", "", "")
	s.StringVar(&f.mostReceived, "max-recv-message-size", "", "")
	s.StringVar(&f.mostSent, "max-send-message-size", "", "")
	s.StringVar(&f.reflectMetadata, "reflect-metadata", "", "")
}

func (f *ghzFlags) defineLoad() {
	s := f.set
	s.BoolVar(&f.async, "async", false, "")
	s.UintVarP(&f.load.constant, "rps", "r", 0, "")
	s.UintVarP(&f.load.constant, "qps", "q", 0, "")
	s.StringVar(&f.load.schedule, "load-schedule", "const", "")
	s.UintVar(&f.load.start, "load-start", 0, "")
	s.IntVar(&f.load.step, "load-step", 0, "")
	s.UintVar(&f.load.end, "load-end", 0, "")
	s.DurationVar(&f.load.each, "load-step-duration", 0, "")
	s.DurationVar(&f.load.most, "load-max-duration", 0, "")
	f.load.top, f.crew.least, f.crew.top = mostPerSec, 1, mostWorkers
	s.UintVarP(&f.crew.constant, "concurrency", "c", 50, "")
	s.StringVar(&f.crew.schedule, "concurrency-schedule", "const", "")
	s.UintVar(&f.crew.start, "concurrency-start", 0, "")
	s.UintVar(&f.crew.end, "concurrency-end", 0, "")
	s.IntVar(&f.crew.step, "concurrency-step", 1, "")
	s.DurationVar(&f.crew.each, "concurrency-step-duration", 0, "")
	s.DurationVar(&f.crew.most, "concurrency-max-duration", 0, "")
	s.UintVarP(&f.requests, "total", "n", 200, "")
	s.DurationVarP(&f.timeout, "timeout", "t", 20*time.Second, "")
	s.DurationVarP(&f.duration, "duration", "z", 0, "")
	s.DurationVarP(&f.most, "max-duration", "x", 0, "")
	s.StringVar(&f.stop, "duration-stop", "close", "")
	s.UintVar(&f.skip, "skipFirst", 0, "")
	s.BoolVar(&f.countErrors, "count-errors", false, "")
}

func (f *ghzFlags) defineData() {
	s := f.set
	s.StringVarP(&f.data, "data", "d", "", "")
	s.StringVarP(&f.dataFile, "data-file", "D", "", "")
	s.BoolVarP(&f.binary, "binary", "b", false, "")
	s.StringVarP(&f.binaryFile, "binary-file", "B", "", "")
	s.StringVarP(&f.metadata, "metadata", "m", "", "")
	s.StringVarP(&f.metadataFile, "metadata-file", "M", "", "")
	s.DurationVar(&f.streamInterval, "stream-interval", 0, "")
	s.DurationVar(&f.streamDuration, "stream-call-duration", 0, "")
	s.UintVar(&f.streamCount, "stream-call-count", 0, "")
	s.BoolVar(&f.dynamic, "stream-dynamic-messages", false, "")
	s.BoolVar(&f.noFunctions, "disable-template-functions", false, "")
	s.BoolVar(&f.noTemplates, "disable-template-data", false, "")
}

// forgiving is the value of a flag that tells of what it cannot read and goes on, so that every problem is found.
type forgiving struct {
	pflag.Value
	name   string
	reader *reader
}

// Set sets the value, or adds a problem.
func (v forgiving) Set(text string) error {
	if err := v.Value.Set(text); err != nil {
		v.reader.addf("ghz: --%s is %q: allowed is %s", v.name, short(text), ghzKinds[v.Type()])
	}
	return nil
}

// ghzKinds says what values of a type look like.
var ghzKinds = map[string]string{
	"bool": "true or false", "uint": "a number of 0 or more", "int": "a number", "duration": "a duration like 500ms or 10s",
}

// parse reads the arguments, which may stand before and after the host. It stops at a flag that nobody knows: whether the
// next word is its value is anyone's guess.
func (f *ghzFlags) parse(args []string, r *reader) {
	f.set.VisitAll(func(one *pflag.Flag) { one.Value = forgiving{one.Value, one.Name, r} })
	if err := f.set.Parse(f.positive(args)); err != nil {
		r.addf("ghz: %s: allowed are %s", strings.TrimPrefix(strings.ReplaceAll(short(err.Error()), "\n", " "), "pflag: "), f.known())
	}
}

// positive replaces --no-flag, by which ghz takes a flag back.
func (f *ghzFlags) positive(args []string) []string {
	all := slices.Clone(args)
	for i, arg := range all {
		name, negated := strings.CutPrefix(arg, "--no-")
		if one := f.set.Lookup(name); negated && one != nil && one.NoOptDefVal != "" {
			all[i] = "--" + name + "=false"
		}
	}
	return all
}

// known lists the flags.
func (f *ghzFlags) known() string {
	var names []string
	f.set.VisitAll(func(one *pflag.Flag) {
		if one.Name != "qps" {
			names = append(names, "--"+one.Name)
		}
	})
	return listed(names)
}

// check refuses values that ghz refuses, those by which it would come to no end or a bad one, and those that make no sense in
// process, where there is neither a standard input nor a file to write.
func (f *ghzFlags) check(r *reader) {
	f.checkCall(r)
	f.load.check(r, "load", "rps")
	f.crew.check(r, "concurrency", "concurrency")
	if f.connections < 1 || f.connections > mostConnections {
		r.addf("ghz: --connections is %d: allowed is 1 to %d", f.connections, mostConnections)
	}
	if f.requests < 1 || f.requests > math.MaxInt32 {
		r.addf("ghz: --total is %d: allowed is 1 to %d", f.requests, math.MaxInt32)
	}
	for _, one := range []struct {
		name  string
		value time.Duration
	}{
		{"timeout", f.timeout}, {"duration", f.duration}, {"max-duration", f.most}, {"connect-timeout", f.connect},
		{"keepalive", f.keepalive}, {"stream-interval", f.streamInterval}, {"stream-call-duration", f.streamDuration},
	} {
		if one.value < 0 || one.value > mostSpan {
			r.addf("ghz: --%s is %s: allowed is 0 to %s", one.name, one.value, mostSpan)
		}
	}
	if !slices.Contains(stops, f.stop) {
		r.addf("ghz: --duration-stop is %q: allowed are %s", short(f.stop), listed(stops))
	}
	if f.format != "summary" || f.output != "" {
		r.addf("ghz: -O and -o: allowed is the summary, in the output of the task; the report of a run has the figures. %s", installed)
	}
	if f.config != "" {
		r.addf("ghz: --config: allowed are flags, which say the same as the keys of such a file. %s", installed)
	}
}

// installed says how to have what is left out.
const installed = "Where shell commands are on, \"command ghz ...\" runs one that is installed"

// stops are what --duration-stop may be.
var stops = []string{"close", "ignore", "wait"}

// mostSpan is the most that a duration of ghz may be.
const mostSpan = 24 * time.Hour

func (f *ghzFlags) checkCall(r *reader) {
	if service, method := f.method(); service == "" || method == "" {
		r.addf("ghz: --call is %q: allowed is package.Service/Method, such as %s", short(f.call), healthCheck)
	}
	if f.proto != "" && path.Ext(f.proto) != ".proto" {
		r.addf("ghz: --proto is %q: allowed is a file that ends with .proto", short(f.proto))
	}
	if (f.cert == "") != (f.key == "") {
		r.addf("ghz: --cert and --key: allowed are both or neither")
	}
	if f.authority != "" && !f.insecure {
		r.addf("ghz: --authority: allowed with --insecure alone; with TLS it is the name of --cname")
	}
	if !slices.Contains(balances, f.balance) {
		r.addf("ghz: --lb-strategy is %q: allowed are pick_first and round_robin", short(f.balance))
	}
	if f.data == "@" || f.binary {
		r.addf("ghz: -d @ and -b read the standard input, and there is none: allowed are -d, -D and -B")
	}
	for name, size := range map[string]string{"max-recv-message-size": f.mostReceived, "max-send-message-size": f.mostSent} {
		if _, err := messageSize(size); err != nil {
			r.addf("ghz: --%s is %q: allowed is a size like 4MB or 512KiB, up to 1GiB", name, short(size))
		}
	}
}

// balances are what --lb-strategy may be.
var balances = []string{"", "pick_first", "round_robin"}

// method returns the two parts of the name of what is called; both are empty when it cannot be read.
func (f *ghzFlags) method() (service, method string) {
	name := strings.TrimPrefix(f.call, ".")
	at := strings.LastIndexAny(name, "./")
	if at < 0 || strings.Count(name, "/") > 1 || strings.Contains(name[at+1:], "/") {
		return "", ""
	}
	return name[:at], name[at+1:]
}
