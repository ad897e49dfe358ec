package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

// clusterUsers is how many users send requests.
const clusterUsers = 1000

// Options are the settings of an embedded cluster.
type Options struct {
	Canary  *canary.Canary
	Router  traffic.Router
	Objects []*unstructured.Unstructured // what is in the cluster at the start, the target included

	Container string // of the target, which gets the new version
	NewImage  string // the new version

	Speed  float64 // how many times faster than real time
	RPS    float64 // requests per real second
	Faults Faults
	Seed   uint64

	Shortest time.Duration // of the windows of the queries; 0: the analysis interval
}

// Cluster is a whole cluster in one process: an API, controllers, real apps behind a real proxy, users, and Prometheus.
// The engine sees only the API and Prometheus, and both as it would see real ones.
type Cluster struct {
	Clock *Clock

	options   Options
	refs      workload.Refs
	api       *API
	server    *APIServer
	metrics   *Prometheus
	proxy     *Proxy
	control   *Controllers
	injector  *Injector
	apps      map[string]*runningApp // by name of the pod
	revisions [2]string              // of Knative: which Revision each version is
	weight    weightGauge
	generator *Generator
	direct    *Generator

	cancel  context.CancelFunc
	running sync.WaitGroup
	start   sync.Once // of the users
}

// Start builds a cluster that runs until Close. The users come when the route is there.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	clock, err := NewClock(o.Speed)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &Cluster{Clock: clock, options: o, cancel: cancel, apps: map[string]*runningApp{}, injector: NewInjector(o.Faults)}
	if err := c.build(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.running.Go(func() { c.control.Run(ctx) })
	c.running.Go(func() { c.follow(ctx) })
	window := cmp.Or(o.Shortest, o.Canary.Spec.Analysis.EffectiveInterval())
	c.running.Go(func() {
		// A failed scrape is seen by the analysis as missing data.
		_ = c.metrics.Run(ctx, ScrapeEvery(window, o.Speed))
	})
	return c, nil
}

func (c *Cluster) build(ctx context.Context) error {
	var err error
	if c.refs, err = workload.RefsFor(c.options.Canary); err != nil {
		return err
	}
	c.api = NewAPI(c.Clock, append(kindsOf(c.options.Canary.Spec.Provider), FlaggerKinds()...)...)
	var target *unstructured.Unstructured
	for _, object := range c.options.Objects {
		if object.GetKind() == c.refs.Target.Kind && object.GetName() == c.refs.Target.Name {
			target = object
		}
		if _, err := c.api.Create(object.DeepCopy(), "rehearsal"); err != nil {
			return fmt.Errorf("put %s %q into the embedded cluster: %w", object.GetKind(), object.GetName(), err)
		}
	}
	c.control = NewControllers(c.api, c.Clock, ControllerOptions{PodState: c.podState, NodeLabels: nodeSelector(target)})
	if c.server, err = c.api.Listen(ctx); err != nil {
		return err
	}
	if c.metrics, err = StartPrometheus(ctx, c.Clock); err != nil {
		return err
	}
	observe, err := Observing(c.metrics.Recorder, c.options.Canary.Spec.Provider, c.served())
	if err != nil {
		return err
	}
	c.proxy, err = StartProxy(ctx, ProxyOptions{
		Clock: c.Clock, Users: clusterUsers, Observe: observe,
		Own: func(host string) (Version, bool) { return ownService(c.options.Canary, host) },
	})
	if err != nil {
		return err
	}
	visit, _ := visits(c.options.Canary)
	c.generator, err = NewGenerator(Load{
		URL: c.proxy.URL(), RPS: c.options.RPS, Users: clusterUsers, Seed: c.options.Seed, Visit: visit, Clock: c.Clock,
	})
	if err != nil {
		return err
	}
	// A tenth of the load goes straight to the canary's own Service while the router sends it none, as a load test does.
	c.direct, err = NewGenerator(Load{
		URL: c.proxy.URL(), RPS: c.options.RPS / 10, Users: 1, Seed: c.options.Seed,
		Header: map[string]string{ServiceHeader: Canary.String()},
	})
	return err
}

// Config is how clients reach the API.
func (c *Cluster) Config() *rest.Config { return c.server.Config() }

// MetricsURL is where Prometheus answers.
func (c *Cluster) MetricsURL() string { return c.metrics.URL() }

// Traffic returns what came of the requests so far.
func (c *Cluster) Traffic() Traffic { return c.proxy.Traffic() }

// Close ends everything and waits for it.
func (c *Cluster) Close() error {
	c.cancel()
	c.running.Wait()
	var problems []error
	if c.proxy != nil {
		problems = append(problems, c.proxy.Close())
	}
	for _, app := range c.apps {
		problems = append(problems, app.Close())
	}
	if c.metrics != nil {
		problems = append(problems, c.metrics.Close())
	}
	if c.server != nil {
		c.server.Close()
	}
	return errors.Join(problems...)
}
