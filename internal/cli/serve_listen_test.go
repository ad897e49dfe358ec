package cli

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
)

// pipeListener has connections without sockets, so that time can be synthetic.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// get sends a request on a connection of its own and returns how to read the code; 0 when the connection was cut.
func (p *pipeListener) get(t *testing.T, path string) func() int {
	t.Helper()
	here, there := net.Pipe()
	p.conns <- there
	if _, err := io.WriteString(here, "GET "+path+" HTTP/1.1\r\nHost: penstock\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return func() int {
		defer here.Close()
		response, err := http.ReadResponse(bufio.NewReader(here), nil)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
}

func TestAServerThatEndsWaitsForWhatIsUnderWayAndNotForEver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes, ends time.Duration
		code        int
	}{
		"short": {6 * time.Second, 4 * time.Second, http.StatusOK},
		"long":  {time.Hour, serveDrainTimeout, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
				l := &quietListener{Listener: on, log: slog.New(slog.DiscardHandler), mount: func(r chi.Router) {
					r.Get("/work", func(http.ResponseWriter, *http.Request) { <-time.After(c.takes) })
				}}
				ctx, end := context.WithTimeout(t.Context(), 2*time.Second)
				defer end()
				ended := make(chan error, 1)
				go func() { ended <- l.Run(ctx) }()
				if code := on.get(t, "/readyz")(); code != http.StatusOK {
					t.Errorf("ready: %d", code)
				}
				work := on.get(t, "/work")
				<-ctx.Done()
				begin := time.Now()
				if code := work(); code != c.code {
					t.Errorf("what was under way: %d, want %d", code, c.code)
				}
				// Shutdown looks now and then whether connections have become idle, up to half a second apart.
				if err := <-ended; err != nil || time.Since(begin).Round(time.Second) != c.ends {
					t.Errorf("ended after %s: %v", time.Since(begin), err)
				}
				if !l.draining.Load() {
					t.Error("it is still ready")
				}
				time.Sleep(c.takes) // in synthetic time, until the handler is over
			})
		})
	}
}
