package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Source is where a query is sent.
type Source struct {
	Address            string              // URL of the provider's API; a path prefix is kept
	Headers            map[string][]string // sent with every request
	Region             string              // of the providers that have regions
	InsecureSkipVerify bool                // do not verify the server's certificate
	Credentials        Credentials         // from the Secret of the template; empty when it has none
}

// Credentials are the entries of a provider's Secret. They print as *** everywhere.
type Credentials map[string]string

// Format writes ***, whatever the verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText writes ***, also for JSON and slog.
func (Credentials) MarshalText() ([]byte, error) { return []byte(hidden), nil }

const hidden = "***"

// Query is one question to a provider.
type Query struct {
	Text     string        // rendered
	Interval time.Duration // the metric's window
	Now      time.Time     // the end of the window; providers that answer "now" by themselves leave it out
	Every    time.Duration // a row of samples is asked for, each of so much of the window; 0: one number
}

// from is the start of the window, at a whole second: no provider has finer points, and several round down themselves.
func (q Query) from() time.Time { return q.Now.Add(-q.Interval).Truncate(time.Second) }

// Request is an HTTP request to a provider. It holds credentials: String shows none of them.
type Request struct {
	Method string
	URL    string
	Header map[string][]string // canonical names
	Body   string
	Sign   Signature // what it lacks before it can be sent
}

// String returns the method and the URL without its query.
func (r Request) String() string { return r.Method + " " + strings.SplitN(r.URL, "?", 2)[0] }

// Format writes String, whatever the verb.
func (r Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// Provider is the codec of one kind of metrics provider. All its functions are pure.
type Provider struct {
	// Needs is what a template has to set for this provider.
	Needs Needs

	// Request returns the HTTP request that asks q. The error names the setting of the source that is wrong, and never
	// shows credentials. Nothing of the source is shared with the request.
	Request func(s Source, q Query) (Request, error)

	// Parse reads the answer to the Request that asked q: the HTTP status and the body. Of an answer with several points in
	// time it takes the newest that lies wholly within the window of q; an answer with only others is NoData.
	Parse func(q Query, status int, body []byte) Answer

	// Pause reads from the headers of an answer how long a server that is asked too often wants to be left alone, where it
	// says so in another way than Retry-After; 0 when it does not say. It is nil for a provider that has no other way.
	Pause func(header map[string][]string) time.Duration

	// Rows says that Request and Parse know queries with Every.
	Rows bool

	// Lint checks a rendered query without asking anybody.
	Lint func(query string) error

	// Clues returns what must exist for a rendered query to have an answer, in the order in which a person would look. It
	// is nil for a provider whose queries do not tell.
	Clues func(query string) []Clue

	// Names returns the request for the names that there are instead of what a clue looks for: those of all metrics, or
	// the labels of its metric. now bounds how far the provider looks back. It is nil where there is no such request.
	Names func(s Source, c Clue, now time.Time) (Request, error)

	// ParseNames reads the answer to Names. An answer that cannot be read has no names.
	ParseNames func(status int, body []byte) []string
}

// providers maps spec.provider.type of a MetricTemplate to its codec. Each entry has a file, a line here and a folder
// below testdata/metric/.
var providers = map[string]Provider{
	"cloudwatch":      cloudwatch,
	"datadog":         datadog,
	"dynatrace":       dynatrace,
	"externalmetrics": externalmetrics,
	"graphite":        graphite,
	"influxdb":        influxdb,
	"keptn":           keptn,
	"load":            load,
	"newrelic":        newrelic,
	"prometheus":      prometheus,
	"splunk":          splunk,
	"stackdriver":     stackdriver,
}

// ProviderFor returns the codec of a provider type. An unknown type is an error that lists the known ones.
func ProviderFor(kind string) (Provider, error) {
	if p, ok := providers[kind]; ok {
		return p, nil
	}
	return Provider{}, fmt.Errorf("metrics provider %q is not supported; supported are %s", kind, strings.Join(Providers(), ", "))
}

// Providers returns the types of all providers, sorted.
func Providers() []string { return slices.Sorted(maps.Keys(providers)) }
