package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
)

// How long a scrape may take, and how long one that is under way is waited for at the end.
const (
	scrapeTimeout = 10 * time.Second
	closeTimeout  = time.Second
)

// Listen claims an address such as :8080, so that one that cannot be had is known before a run touches anything.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("%q is not an address such as :8080 or 127.0.0.1:8080", address)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		cause := err
		if op := (*net.OpError)(nil); errors.As(err, &op) { // it repeats the address
			cause = op.Err
		}
		return nil, fmt.Errorf("cannot listen on %q: %w", address, cause)
	}
	return listener, nil
}

// Serve answers /metrics and /healthz on the listener, until what it returns is called.
func (e *Exporter) Serve(ctx context.Context, listener net.Listener) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", e.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "OK\n") // a client that is gone needs no answer
	})
	server := &http.Server{
		Handler: mux, ReadTimeout: scrapeTimeout, WriteTimeout: scrapeTimeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends by being closed
	return func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(bounded) != nil {
			_ = server.Close() // whoever reads that slowly gets no more
		}
		serving.Wait()
	}
}

// metrics answers in the format that the scraper asks for.
func (e *Exporter) metrics(w http.ResponseWriter, r *http.Request) {
	families, err := e.Gather()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultAcceptedFormats()...)
	w.Header().Set("Content-Type", string(format))
	encoder := expfmt.NewEncoder(w, format)
	for _, family := range families {
		if encoder.Encode(family) != nil {
			return // the scraper is gone
		}
	}
}
