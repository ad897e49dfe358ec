package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"
)

// Limits of every connection.
const (
	headerTimeout = 3 * time.Second
	readTimeout   = 15 * time.Second // of routes that set none of their own
	idleTimeout   = 2 * time.Minute
	headerLimit   = 32 << 10
	stopTimeout   = 3 * time.Second // of looks whose context has ended: one may be marking its change as done
)

// Server receives webhooks and looks at the changes that they are about, and serves the routes that are mounted beside.
type Server struct {
	config   Config
	clock    clock.WithTicker
	log      *slog.Logger
	queue    *queue
	commits  *committer
	metrics  *metrics
	handler  http.Handler
	quiet    quiet
	inFlight chan struct{}
	wake     chan struct{} // of the dispatcher
	looking  sync.WaitGroup
	loaded   atomic.Bool // what was pending at the start is known
	draining atomic.Bool
}

// New returns a server that does nothing yet. The error lists every problem of the configuration.
func New(c Config) (*Server, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	s := &Server{
		config: c, clock: c.Clock, log: c.Log, queue: newQueue(c.QueueLimit),
		inFlight: make(chan struct{}, inFlightLimit), wake: make(chan struct{}, 1),
	}
	s.commits = newCommitter(c.Store, s.enqueue)
	var err error
	if s.metrics, err = newMetrics(c.Registry, s.queue, c.Clock.Now); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s.handler = s.routes()
	return s, nil
}

// Handler answers the requests of all routes. Deliveries that it accepts are looked at while Run runs.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	if len(s.config.GitHub.Secrets) > 0 {
		r.Post("/webhooks/github", s.receive(newGitHub(s.config)))
	}
	if s.config.GitLab.used() {
		r.Post("/webhooks/gitlab", s.receive(newGitLab(s.config)))
	}
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "OK") })
	r.Get("/readyz", s.ready)
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.config.Registry, promhttp.HandlerOpts{}))
	if s.config.Mount != nil {
		s.config.Mount(r)
	}
	return r
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.draining.Load():
		reply(w, http.StatusServiceUnavailable, "stopping")
	case !s.loaded.Load():
		reply(w, http.StatusServiceUnavailable, "what was pending is not loaded yet")
	default:
		reply(w, http.StatusOK, "OK")
	}
}

// enqueue takes what was stored. What finds no room stays in the store, and a sweep takes it later.
func (s *Server) enqueue(receipts []Receipt) {
	now := s.clock.Now()
	for _, r := range receipts {
		if r.New && !s.queue.push(r.Pending, now) {
			if n := s.quiet.ask("no room", now); n > 0 {
				s.log.Warn("too many changes wait for a look; new ones stay in the store until there is room", "times", n)
			}
		}
	}
	s.stir()
}

// Run serves until ctx ends, and then ends in good order: no new connections, answers to the deliveries that are under
// way, and an end to the looks that are. What is pending then stays so in the Store. It takes at most Linger, and
// DrainTimeout twice, once for the deliveries and once for the looks, and a few seconds. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	looks, stopLooks := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLooks()
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerLimit, BaseContext: func(net.Listener) context.Context { return looks },
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what any client can cause
	}
	work, stopWork := context.WithCancel(looks) // not of ctx: what comes while it lingers is looked at
	defer stopWork()
	var working sync.WaitGroup
	if s.config.NoWebhooks {
		s.loaded.Store(true)
	} else {
		working.Go(func() { s.sweep(work) })
		working.Go(func() { s.dispatch(work, looks) })
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.log.Info("listening", "address", listener.Addr().String())
	select {
	case err = <-ended:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		s.close(looks, server)
		<-ended
	}
	s.draining.Store(true)
	stopWork()
	working.Wait()
	s.endLooks(stopLooks)
	s.commits.drain()
	return err
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	if s.config.Listener != nil {
		return s.config.Listener, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.config.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", s.config.Address, err)
	}
	return listener, nil
}

// close ends the listening, after load balancers had time to learn of it, and answers what is under way.
func (s *Server) close(ctx context.Context, server *http.Server) {
	s.draining.Store(true)
	s.log.Info("stopping", "linger", s.config.Linger)
	if s.config.Linger > 0 {
		s.clock.Sleep(s.config.Linger)
	}
	bounded, cancel := context.WithTimeout(ctx, s.config.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(bounded); errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("closing connections whose requests did not end in time")
		_ = server.Close() // whoever reads that slowly gets no more
	}
}

// endLooks waits for the looks that are under way, then ends them.
func (s *Server) endLooks(stop context.CancelFunc) {
	over := make(chan struct{})
	go func() { s.looking.Wait(); close(over) }()
	for _, bound := range []time.Duration{s.config.DrainTimeout, stopTimeout} {
		timer := s.clock.NewTimer(bound)
		select {
		case <-over:
			timer.Stop()
			return
		case <-timer.C():
			stop()
		}
	}
	s.log.Error("left looks behind that do not stop; their changes stay pending")
}
