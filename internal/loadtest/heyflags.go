package loadtest

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Limits of one load test: beyond them this process would be the one that breaks.
const (
	mostWorkers = 10_000
	mostPerSec  = 1_000_000 // of a worker: hey's ticker cannot be faster
	leastPerSec = 0.001
)

const heyAgent = "hey/0.0.1"

var (
	headerLine = regexp.MustCompile(`^([\w-]+):\s*(.+)`)
	badFlag    = regexp.MustCompile(`for flag -(\w+):`)
	credential = regexp.MustCompile(`^(.+):([^\s].+)`)
)

// repeated collects the values of a flag that may be given more than once.
type repeated []string

func (l *repeated) String() string { return strings.Join(*l, " ") }

func (l *repeated) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// heyFlags are the flags of hey as they were given.
type heyFlags struct {
	set *flag.FlagSet

	method, oldHeader, body, bodyFile, accept, contentType, auth, host, agent, output, proxy string

	headers                             repeated
	workers, requests, timeout, cpus    int
	rate                                float64
	duration                            time.Duration
	http2, noCompress, noKeep, noFollow bool
}

// define returns hey's flags with hey's defaults.
func define() *heyFlags {
	f := &heyFlags{set: flag.NewFlagSet("hey", flag.ContinueOnError)}
	s := f.set
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	s.StringVar(&f.method, "m", http.MethodGet, "")
	s.StringVar(&f.oldHeader, "h", "", "")
	s.StringVar(&f.body, "d", "", "")
	s.StringVar(&f.bodyFile, "D", "", "")
	s.StringVar(&f.accept, "A", "", "")
	s.StringVar(&f.contentType, "T", "text/html", "")
	s.StringVar(&f.auth, "a", "", "")
	s.StringVar(&f.host, "host", "", "")
	s.StringVar(&f.agent, "U", "", "")
	s.StringVar(&f.output, "o", "", "")
	s.StringVar(&f.proxy, "x", "", "")
	s.Var(&f.headers, "H", "")
	s.IntVar(&f.workers, "c", 50, "")
	s.IntVar(&f.requests, "n", 200, "")
	s.IntVar(&f.timeout, "t", 20, "")
	s.IntVar(&f.cpus, "cpus", runtime.GOMAXPROCS(-1), "")
	s.Float64Var(&f.rate, "q", 0, "")
	s.DurationVar(&f.duration, "z", 0, "")
	s.BoolVar(&f.http2, "h2", false, "")
	s.BoolVar(&f.noCompress, "disable-compression", false, "")
	s.BoolVar(&f.noKeep, "disable-keepalive", false, "")
	s.BoolVar(&f.noFollow, "disable-redirects", false, "")
	return f
}

// parse reads arguments. It goes on after a value that cannot be read, but not after a flag that nobody knows: whether
// the next word is its value is anyone's guess.
func (f *heyFlags) parse(args []string, r *reader) {
	for {
		err := f.set.Parse(args)
		switch {
		case err == nil:
			return
		case errors.Is(err, flag.ErrHelp), strings.HasPrefix(err.Error(), "flag provided but not defined"):
			r.addf("hey: %s: allowed are %s", err, f.known())
			return
		}
		r.addf("hey: %s", strings.ReplaceAll(short(err.Error()), "\n", " "))
		// What cannot be read is set to nothing by then, of which the checks would say that it is out of range.
		if bad := badFlag.FindStringSubmatch(err.Error()); bad != nil {
			if one := f.set.Lookup(bad[1]); one != nil {
				_ = one.Value.Set(one.DefValue) // a default can be read
			}
		}
		if args = f.set.Args(); len(args) == 0 {
			return
		}
	}
}

// known lists the flags.
func (f *heyFlags) known() string {
	var names []string
	f.set.VisitAll(func(one *flag.Flag) {
		if one.Name != "h" { // hey itself refuses it
			names = append(names, "-"+one.Name)
		}
	})
	return listed(names)
}

// check refuses values that hey refuses, and those by which hey would come to no end or a bad one.
func (f *heyFlags) check(r *reader) {
	if f.oldHeader != "" {
		r.addf("hey: -h is no more: use -H")
	}
	if f.output != "" && f.output != "csv" {
		r.addf("hey: -o is %q: allowed is csv, or nothing for a summary", short(f.output))
	}
	if f.workers < 1 || f.workers > mostWorkers {
		r.addf("hey: -c is %d: allowed is 1 to %d", f.workers, mostWorkers)
	}
	if f.duration < 0 {
		r.addf("hey: -z is %s: allowed is more than 0", f.duration)
	}
	if f.duration == 0 && f.requests < max(f.workers, 1) {
		r.addf("hey: -n is %d: allowed is 1 or more, and no less than -c, which is %d", f.requests, f.workers)
	}
	// The negation also refuses what is not a number.
	if f.rate != 0 && !(f.rate >= leastPerSec && f.rate <= mostPerSec) {
		r.addf("hey: -q is %g: allowed is %g to %d, or 0 for no limit", f.rate, leastPerSec, mostPerSec)
	}
	if f.timeout < 0 || f.timeout > int(time.Hour/time.Second)*24 {
		r.addf("hey: -t is %d: allowed is 1 or more seconds up to a day, or 0 for no limit", f.timeout)
	}
	if f.cpus < 1 {
		r.addf("hey: -cpus is %d: allowed is 1 or more", f.cpus)
	}
	if !token.MatchString(f.method) {
		r.addf("hey: -m is %q: allowed is a method like GET or POST", short(f.method))
	}
}

var token = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

// header returns the header of every request.
func (f *heyFlags) header(r *reader) http.Header {
	header := http.Header{}
	header.Set("Content-Type", f.contentType)
	for _, line := range f.headers {
		match := headerLine.FindStringSubmatch(line)
		if match == nil {
			name, _, _ := strings.Cut(line, ":")
			r.addf("hey: -H %q: allowed is 'Name: value'", short(name)) // what follows may be a secret
			continue
		}
		header.Set(match[1], match[2])
	}
	if f.accept != "" {
		header.Set("Accept", f.accept)
	}
	agent := heyAgent
	if own := header.Get("User-Agent"); own != "" {
		agent = own + " " + heyAgent
	}
	if f.agent != "" {
		agent = f.agent + " " + heyAgent
	}
	header.Set("User-Agent", agent)
	if f.auth != "" {
		match := credential.FindStringSubmatch(f.auth)
		if match == nil {
			r.addf("hey: -a: allowed is username:password")
			return header
		}
		request := http.Request{Header: header}
		request.SetBasicAuth(match[1], match[2])
	}
	return header
}

// proxyURL returns the proxy, or nil. hey says host:port and takes only a URL; here, both will do.
func (f *heyFlags) proxyURL(r *reader) *url.URL {
	if f.proxy == "" {
		return nil
	}
	raw := f.proxy
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		r.addf("hey: -x: allowed is host:port or a URL")
		return nil
	}
	return u
}
