package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// ghz is a load test of gRPC as a command line of ghz describes it.
type ghz struct {
	options         *Options
	flags           *ghzFlags
	host            string // and port
	data, metadata  text
	reflectMetadata map[string]string
	notes           []string
}

// ghz reads the arguments of a ghz.
func (r *reader) ghz(args []string) job {
	f := defineGHZ()
	before := len(r.Problems)
	f.parse(args, r)
	if len(r.Problems) > before {
		return nil // which words are flags is not known, or their values are not
	}
	f.check(r)
	g := &ghz{options: r.options, flags: f}
	g.readHost(r)
	g.readData(r)
	f.set.Visit(func(one *pflag.Flag) {
		if slices.Contains(idleFlags, one.Name) {
			g.notes = append(g.notes, "--"+one.Name+" has no effect: the load is a part of a process that does other work, too, and writes no files")
		}
	})
	return g
}

// portNumber is a port; a URL has none by its name.
var portNumber = regexp.MustCompile(`^[0-9]{1,5}$`)

// readHost reads where the load goes.
func (g *ghz) readHost(r *reader) {
	words := g.flags.set.Args()
	if len(words) != 1 {
		r.addf("ghz: there are %d hosts: allowed is one, as host:port", len(words))
		return
	}
	host := strings.TrimPrefix(words[0], "dns:///")
	name, port, err := net.SplitHostPort(host)
	if err != nil && strings.Contains(err.Error(), "missing port") {
		name, port, err = host, "443", nil // that of TLS, as gRPC has it
	}
	if err != nil || !portNumber.MatchString(port) || name == "" || strings.ContainsAny(name, "/:") && net.ParseIP(name) == nil {
		r.addf("ghz: the host is %q: allowed is host:port, with the number of the port", short(httpx.Redact(words[0])))
		return
	}
	if _, problem := parseTarget("http://"+net.JoinHostPort(name, port), r.options.Namespaces); problem != "" {
		r.addf("ghz: %s", problem)
		return
	}
	g.host = net.JoinHostPort(name, port)
}

// readData reads what is sent, as far as it is in no file.
func (g *ghz) readData(r *reader) {
	f := g.flags
	if f.data != "" && f.data != "@" && !strings.Contains(f.data, "{{") && !json.Valid([]byte(f.data)) {
		r.addf("ghz: -d is no JSON: allowed is a message, or an array of messages")
	}
	for _, one := range []struct {
		flag, raw string
		to        *text
	}{{"-d", f.data, &g.data}, {"-m", f.metadata, &g.metadata}} {
		read, err := f.template(one.flag, one.raw)
		if err != nil {
			r.addf("ghz: %s: %s", one.flag, short(err.Error()))
		}
		*one.to = read
	}
	if g.metadata.template == nil {
		if _, err := metadataOf(g.metadata.raw); err != nil {
			r.addf("ghz: -m: %s", err)
		}
	}
	if f.reflectMetadata != "" {
		if err := json.Unmarshal([]byte(f.reflectMetadata), &g.reflectMetadata); err != nil {
			r.addf("ghz: --reflect-metadata is no object of strings in JSON")
		}
	}
}

// String describes it, without data and metadata.
func (g *ghz) String() string {
	amount := fmt.Sprintf("-n %d", g.flags.requests)
	if limit := g.limit(); limit > 0 {
		amount = "-z " + limit.String()
	}
	if g.flags.load.constant > 0 {
		amount += fmt.Sprintf(" -r %d", g.flags.load.constant)
	}
	return fmt.Sprintf("ghz %s -c %d --call %s %s", amount, g.flags.crew.constant, short(g.flags.call), short(g.host))
}

func (g *ghz) info() Info {
	scheme := "https"
	if g.flags.insecure {
		scheme = "http"
	}
	return Info{Targets: []string{(&url.URL{Scheme: scheme, Host: g.host}).String()}, Length: g.flags.duration, GRPC: true}
}

// limit is the longest that the load may take; 0 is without a limit. -x goes before -z, as in ghz.
func (g *ghz) limit() time.Duration {
	if g.flags.most > 0 {
		return g.flags.most
	}
	return g.flags.duration
}

// run makes the load. The end of ctx ends the calls that are under way, too.
func (g *ghz) run(ctx context.Context) (outcome, error) {
	sending, end := outlive(ctx)
	defer end()
	if err := g.readMetadata(); err != nil {
		return outcome{}, err
	}
	conns, err := g.dial(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer closeAll(conns)
	began := time.Now()
	of := newFigures(g.options.MaxOutput)
	of.skip, of.countErrors = g.flags.skip, g.flags.countErrors
	method, err := g.find(sending, conns[0])
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.DeadlineExceeded:
		of.errors[err.Error()]++ // the server is not there: the load is one call without an answer
		of.requests++
		return g.outcome(ctx, of, began), nil
	default:
		return outcome{}, err
	}
	calls, err := g.caller(method, of)
	if err != nil {
		return outcome{}, err
	}
	defer unhurried()()
	began = time.Now()
	g.drive(ctx, sending, end, &crew{calls: calls, conns: conns, name: g.flags.name, async: g.flags.async})
	return g.outcome(ctx, of, began), nil
}

// readMetadata reads the file of -M.
func (g *ghz) readMetadata() error {
	if g.flags.metadataFile == "" {
		return nil
	}
	content, err := g.options.readFile(g.flags.metadataFile)
	if err != nil {
		return fmt.Errorf("read the file of -M: %w", err)
	}
	if g.metadata, err = g.flags.template("-M", string(content)); err != nil {
		return fmt.Errorf("the templates of -M: %w", err)
	}
	return nil
}

// outcome judges the load by its figures.
func (g *ghz) outcome(ctx context.Context, of *figures, began time.Time) outcome {
	of.mu.Lock()
	defer of.mu.Unlock()
	elapsed := of.last.Sub(began)
	if of.last.Before(began) {
		elapsed = time.Since(began) // no call has ended
	}
	load := of.load(elapsed)
	result := outcome{load: load, notes: slices.Clone(g.notes), output: cut(summary(load), g.options.MaxOutput)}
	if most := mostFrequent(gather(of.refusals)); most != "" {
		result.notes = append(result.notes, "the server failed most often with "+most)
	}
	result.passed, result.message = load.verdict(ctx)
	return result
}
