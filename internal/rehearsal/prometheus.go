package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"k8s.io/utils/clock"
)

const (
	metricsRetention = 6 * time.Hour // by the rehearsal's clock
	// metricsBlock is how long samples stay in memory at least. Half of it is how far back a sample may be written.
	metricsBlock   = 2 * time.Hour
	metricsStripes = 512

	queryTimeout = 30 * time.Second // in real time
	querySamples = 5_000_000        // held in memory by one query
)

// Prometheus is a metrics server on the loopback interface: samples in Prometheus' own storage, queried by Prometheus' own
// engine through its HTTP API. Its samples are stamped by the rehearsal's clock, and so is the present of its queries. It
// is safe for concurrent use.
type Prometheus struct {
	*Recorder

	clock  clock.PassiveClock
	dir    string
	db     *tsdb.DB
	engine *promql.Engine
	server *loopbackServer
}

// StartPrometheus starts a metrics server on a free port. Its files are in a temporary directory, which Close removes.
func StartPrometheus(ctx context.Context, clock clock.PassiveClock) (*Prometheus, error) {
	dir, err := os.MkdirTemp("", "penstock-metrics-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the metrics: %w", err)
	}
	p := &Prometheus{clock: clock, dir: dir, engine: newEngine()}
	if p.db, err = openMetrics(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open the storage of the metrics in %s: %w", dir, err), p.Close())
	}
	p.Recorder = NewRecorder(clock, p.db)
	if p.server, err = startLoopback(ctx, p.routes()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the metrics server: %w", err), p.Close())
	}
	return p, nil
}

func openMetrics(dir string) (*tsdb.DB, error) {
	options := tsdb.DefaultOptions()
	options.WALSegmentSize = -1 // nothing is to survive
	options.NoLockfile = true
	options.StripeSize = metricsStripes
	options.HeadChunksWriteBufferSize = chunks.MinWriteBufferSize
	options.MinBlockDuration = metricsBlock.Milliseconds()
	options.MaxBlockDuration = metricsBlock.Milliseconds()
	options.RetentionDuration = metricsRetention.Milliseconds()
	return tsdb.Open(dir, nil, nil, options, nil)
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

// Close ends the server and removes its files. Nothing may be recorded any more.
func (p *Prometheus) Close() error {
	var problems []error
	if p.server != nil {
		problems = append(problems, p.server.Close())
	}
	problems = append(problems, p.engine.Close())
	if p.db != nil {
		problems = append(problems, p.db.Close())
	}
	problems = append(problems, os.RemoveAll(p.dir))
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
