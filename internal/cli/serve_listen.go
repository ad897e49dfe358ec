package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
)

// Limits of the connections of a server.
const (
	serveHeaderTimeout = 3 * time.Second
	serveReadTimeout   = 15 * time.Second
	serveIdleTimeout   = 2 * time.Minute
	serveHeaderLimit   = 32 << 10
	serveDrainTimeout  = 10 * time.Second // for what is under way when the server is told to end
)

// listener answers requests until ctx ends, and then those that are under way.
type listener interface {
	Run(ctx context.Context) error
}

// quietListener answers the requests of a server that receives no webhooks.
type quietListener struct {
	net.Listener
	mount    func(chi.Router)
	log      *slog.Logger
	draining atomic.Bool
}

// routes are those that are mounted, and what Kubernetes asks of every server.
func (l *quietListener) routes() http.Handler {
	r := chi.NewRouter()
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if l.draining.Load() {
			http.Error(w, "the server is about to end", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "OK") // a client that is gone needs no answer
	})
	l.mount(r)
	return r
}

func (l *quietListener) Run(ctx context.Context) error {
	requests := context.WithoutCancel(ctx) // they outlive the order to end
	s := &http.Server{
		Handler: l.routes(), ReadHeaderTimeout: serveHeaderTimeout, ReadTimeout: serveReadTimeout, IdleTimeout: serveIdleTimeout,
		MaxHeaderBytes: serveHeaderLimit, ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l.Listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	l.draining.Store(true)
	l.log.Info("ending; what is under way is waited for", "at most", serveDrainTimeout)
	bounded, cancel := context.WithTimeout(requests, serveDrainTimeout)
	defer cancel()
	err := s.Shutdown(bounded)
	if err != nil {
		l.log.Warn("not everything that was under way has ended; its connections are cut")
		err = s.Close()
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
