package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/utils/clock"
)

const (
	metricsRetention = 6 * time.Hour // by the rehearsal's clock

	queryTimeout = 30 * time.Second // in real time
	querySamples = 5_000_000        // held in memory by one query
)

// Prometheus is a metrics server on the loopback interface: samples in memory, queried by Prometheus' own engine
// through its HTTP API. Its samples are stamped by the rehearsal's clock, and so is the present of its queries. It is
// safe for concurrent use.
type Prometheus struct {
	*Recorder

	clock   clock.PassiveClock
	samples *Samples
	engine  *promql.Engine
	server  *loopbackServer
}

// StartPrometheus starts a metrics server on a free port.
func StartPrometheus(ctx context.Context, clock clock.PassiveClock) (*Prometheus, error) {
	p := &Prometheus{clock: clock, samples: &Samples{}, engine: newEngine()}
	p.Recorder = NewRecorder(clock, p.samples)
	var err error
	if p.server, err = startLoopback(ctx, p.routes()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the metrics server: %w", err), p.Close())
	}
	return p, nil
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples:               querySamples,
		Timeout:                  queryTimeout,
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		Parser:                   parser.NewParser(parser.Options{EnableExperimentalFunctions: true, EnableBinopFillModifiers: true}),
	})
}

// URL returns the address of the server.
func (p *Prometheus) URL() string { return "http://" + p.server.Addr().String() }

// Down takes the server down, so that it takes no connections, or brings it back. Samples are kept meanwhile.
func (p *Prometheus) Down(down bool) { p.server.Down(down) }

// Close ends the server.
func (p *Prometheus) Close() error {
	var problems []error
	if p.server != nil {
		problems = append(problems, p.server.Close())
	}
	problems = append(problems, p.engine.Close())
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("close the metrics server: %w", err)
	}
	return nil
}

// ScrapeEvery returns how often, in real time, metrics have to be scraped so that a window by a clock that runs speed
// times faster holds some twenty samples.
func ScrapeEvery(window time.Duration, speed float64) time.Duration {
	const samples, fastest, slowest = 20, 5 * time.Millisecond, 100 * time.Millisecond
	return min(max(time.Duration(float64(window)/speed/samples), fastest), slowest)
}
