// Package analysis asks metrics providers. It is the engine of the codecs in internal/metric.
package analysis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// DefaultTimeout is how long one check may take, its retries included. It is Flagger's.
const DefaultTimeout = 5 * time.Second

// Credentials reads the Secret of a metrics provider. The error must not show its contents.
type Credentials func(ctx context.Context, ref metric.SecretRef) (metric.Credentials, error)

// Config is what an Analyst is made of.
type Config struct {
	Checks      []metric.Check
	Credentials Credentials   // needed when a check has a Secret
	Clock       clock.Clock   // for the waits between retries; nil is the real one
	Timeout     time.Duration // of one check, retries included; 0 means DefaultTimeout
	Version     string        // of penstock, for the User-Agent
}

// Analyst asks the metrics providers of one canary.
type Analyst struct {
	Config
	asks    []ask
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
	for _, check := range c.Checks {
		codec, err := metric.ProviderFor(check.Provider)
		if err != nil {
			return nil, fmt.Errorf("check %q: %w", check.Name, err)
		}
		if check.Secret != nil && c.Credentials == nil {
			return nil, fmt.Errorf("check %q: nobody can read the Secret %q", check.Name, check.Secret)
		}
		client, err := a.client(check.Source)
		if err != nil {
			return nil, fmt.Errorf("check %q: %w", check.Name, err)
		}
		a.asks = append(a.asks, ask{check: check, codec: codec, client: client})
	}
	return a, nil
}

func (a *Analyst) client(s metric.Source) (api.Client, error) {
	shared, ok := a.clients[s.InsecureSkipVerify]
	if !ok {
		shared = httpx.New(httpx.Options{Version: a.Version, Timeout: a.Timeout, InsecureSkipVerify: s.InsecureSkipVerify})
		a.clients[s.InsecureSkipVerify] = shared
	}
	client, err := api.NewClient(api.Config{Address: s.Address, Client: shared.HTTP()})
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
// that is judged. It takes no longer than the timeout: a provider that does not answer costs its own check an Error and
// the others nothing.
func (a *Analyst) Check(ctx context.Context, now time.Time) []rollout.CheckResult {
	results := make([]rollout.CheckResult, len(a.asks))
	var all sync.WaitGroup
	for i := range a.asks {
		all.Go(func() { results[i] = a.one(ctx, &a.asks[i], now) })
	}
	all.Wait()
	return results
}

func (a *Analyst) one(ctx context.Context, k *ask, now time.Time) rollout.CheckResult {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	source := k.check.Source
	if ref := k.check.Secret; ref != nil {
		found, err := a.Credentials(ctx, *ref)
		if err != nil {
			err = fmt.Errorf("read the Secret %q: %w", ref, err)
			return metric.Judge(k.check, metric.Answer{Message: err.Error()})
		}
		if len(found) == 0 {
			return metric.Judge(k.check, metric.Answer{Message: fmt.Sprintf("the Secret %q is empty", ref)})
		}
		source.Credentials = found
	}
	request, err := k.codec.Request(source, metric.Query{Text: k.check.Query, Interval: k.check.Interval, Now: now})
	if err != nil {
		return metric.Judge(k.check, metric.Answer{Message: err.Error()})
	}
	return metric.Judge(k.check, a.ask(ctx, k, request, secrets(source, request)))
}
