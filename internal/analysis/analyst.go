// Package analysis asks metrics providers. It is the engine of the codecs in internal/metric.
package analysis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/cloud"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// DefaultTimeout is how long one try of a check may take. It is Flagger's.
const DefaultTimeout = 5 * time.Second

// Credentials reads the Secret of a metrics provider. The error must not show its contents.
type Credentials func(ctx context.Context, ref metric.SecretRef) (metric.Credentials, error)

// Config is what an Analyst is made of.
type Config struct {
	Checks      []metric.Check
	Credentials Credentials              // needed when a check has a Secret
	Clock       clock.Clock              // for the waits between retries; nil is the real one
	Timeout     time.Duration            // of one try of a check; 0 means DefaultTimeout
	Interval    time.Duration            // of the analysis: a check in error is tried again for half of it; 0 means one try
	LoadHooks   bool                     // hooks of the rollout make the traffic: a metric may not exist before
	Version     string                   // of penstock, for the User-Agent
	Cluster     *Cluster                 // where checks are asked that name no address; needed when there is one
	Through     httpx.Through            // the way to providers that the network does not lead to; nil for none
	Env         func(name string) string // environment of the run, for the account that it has in a cloud; nil is an empty one
	Run         *http.Client             // answers for the run itself, about the load that it makes; nil when it makes none

	// Revision is the name of the Revision that is analysed, where the queries ask for it. Nil where they do not.
	Revision func() string
}

// Cluster is the Kubernetes API of the rollout's cluster, which some providers are a part of.
type Cluster struct {
	Address string       // URL of the API server
	Client  *http.Client // sends the credentials of the run
}

// Analyst asks the metrics providers of one canary.
type Analyst struct {
	Config
	asks    []ask
	signer  *cloud.Signer
	clients map[bool]*httpx.Client // by whether certificates go unverified
}

// ask is one check with its codec and its connection.
type ask struct {
	check  metric.Check
	codec  metric.Provider
	client api.Client
}

// New returns an Analyst for checks that metric.Plan has made. It asks nobody yet.
func New(c Config) (*Analyst, error) {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	a := &Analyst{Config: c, clients: map[bool]*httpx.Client{}}
	a.signer = &cloud.Signer{HTTP: a.shared(false).HTTP(), Env: c.Env}
	for _, check := range c.Checks {
		codec, err := metric.ProviderFor(check.Provider)
		if err != nil {
			return nil, fmt.Errorf("check %q: %w", check.Name, err)
		}
		if check.Secret != nil && c.Credentials == nil {
			return nil, fmt.Errorf("check %q: nobody can read the Secret %q", check.Name, check.Secret)
		}
		client, err := a.connect(codec, check.Source)
		if err != nil {
			return nil, fmt.Errorf("check %q: %w", check.Name, err)
		}
		a.asks = append(a.asks, ask{check: check, codec: codec, client: client})
	}
	return a, nil
}

func (a *Analyst) connect(codec metric.Provider, s metric.Source) (api.Client, error) {
	if codec.Needs.Run {
		return a.itself(codec.Needs.Address)
	}
	if !codec.Needs.Cluster || s.Address != "" {
		return a.client(s)
	}
	if a.Cluster == nil {
		return nil, errors.New("it has no address, and there is no cluster to ask")
	}
	client, err := api.NewClient(api.Config{Address: a.Cluster.Address, Client: a.Cluster.Client})
	if err != nil {
		return nil, fmt.Errorf("the cluster's address %q is not a URL", httpx.RedactURL(a.Cluster.Address))
	}
	return client, nil
}

// itself is the client for what the run knows.
func (a *Analyst) itself(address string) (api.Client, error) {
	if a.Run == nil {
		return nil, errors.New("it judges load that the run makes itself, and here is no run")
	}
	return api.NewClient(api.Config{Address: address, Client: a.Run})
}

// shared returns the one client for all servers whose certificates are verified, or go unverified.
func (a *Analyst) shared(insecure bool) *httpx.Client {
	shared, ok := a.clients[insecure]
	if !ok {
		shared = httpx.New(httpx.Options{Version: a.Version, Timeout: a.Timeout, InsecureSkipVerify: insecure, Through: a.Through})
		a.clients[insecure] = shared
	}
	return shared
}

func (a *Analyst) client(s metric.Source) (api.Client, error) {
	client, err := api.NewClient(api.Config{Address: s.Address, Client: a.shared(s.InsecureSkipVerify).HTTP()})
	if err != nil {
		return nil, errors.New("the provider's address is not a URL") // the cause would show the address, password included
	}
	return client, nil
}

// Close closes the connections that are kept open between checks.
func (a *Analyst) Close() {
	for _, c := range a.clients {
		c.CloseIdle()
	}
}

// Check asks all providers at once and returns one result for each check, in their order. now is the end of the window
// that is judged. A check that ends in an Error is tried again for a while: see Config.Interval. Until then a provider
// that does not answer costs its own check an Error and the others nothing but the wait.
func (a *Analyst) Check(ctx context.Context, now time.Time) []rollout.CheckResult {
	return a.each(ctx, func(k *ask) (rollout.CheckResult, again) { return a.one(ctx, k, now) })
}

// each makes all checks at once.
func (a *Analyst) each(ctx context.Context, try func(*ask) (rollout.CheckResult, again)) []rollout.CheckResult {
	results := make([]rollout.CheckResult, len(a.asks))
	revision := ""
	if a.Revision != nil {
		revision = a.Revision()
	}
	var all sync.WaitGroup
	for i := range a.asks {
		k := a.asks[i]
		k.check = k.check.Of(revision)
		all.Go(func() {
			results[i] = a.patiently(ctx, func() (rollout.CheckResult, again) { return try(&k) })
		})
	}
	all.Wait()
	return results
}

// one tries a check once, and says whether an Error is worth another try.
func (a *Analyst) one(ctx context.Context, k *ask, now time.Time) (rollout.CheckResult, again) {
	ctx, cancel := httpx.WithTimeout(ctx, a.Timeout)
	defer cancel()
	source, err := a.source(ctx, k)
	if err != nil {
		return metric.Judge(k.check, metric.Answer{Message: err.Error()}), anyTime
	}
	if k.check.Versus != nil {
		return a.versus(ctx, k, source, now)
	}
	var count metric.Answer
	var both sync.WaitGroup
	if k.check.Count != "" {
		both.Go(func() { count = a.query(ctx, k, source, k.query(k.check.Count, now)) })
	}
	answer := a.query(ctx, k, source, k.query(k.check.Query, now))
	both.Wait()
	return metric.Enough(k.check, metric.Judge(k.check, answer), count), againAfter(answer, count)
}

func (k *ask) query(text string, now time.Time) metric.Query {
	return metric.Query{Text: text, Interval: k.check.Interval, Now: now}
}

// source returns where the check is asked, with its credentials, which may have changed since they were last read.
func (a *Analyst) source(ctx context.Context, k *ask) (metric.Source, error) {
	source := k.check.Source
	ref := k.check.Secret
	if ref == nil {
		return source, nil
	}
	found, err := a.Credentials(ctx, *ref)
	if err != nil {
		return source, fmt.Errorf("read the Secret %q: %w", ref, err)
	}
	if len(found) == 0 {
		return source, fmt.Errorf("the Secret %q is empty", ref)
	}
	source.Credentials = found
	return source, nil
}

// query asks one query of a check.
func (a *Analyst) query(ctx context.Context, k *ask, s metric.Source, q metric.Query) metric.Answer {
	request, err := k.codec.Request(s, q)
	if err != nil {
		return metric.Answer{Message: err.Error()}
	}
	if strings.HasPrefix(request.URL, "/") { // a path of the cluster's API, whose server may be below a path itself
		request.URL = strings.TrimSuffix(a.Cluster.Address, "/") + request.URL
	}
	if err := a.signer.Sign(ctx, &request, a.Clock.Now()); err != nil {
		return metric.Answer{Message: secrets(s, request).Hide(err.Error())}
	}
	return a.ask(ctx, &exchange{
		ask: k, query: q, request: request, hide: secrets(s, request), clock: a.Clock, within: httpx.Within(ctx, a.Timeout),
	})
}
