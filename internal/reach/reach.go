package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// Config says how a cluster is reached.
type Config struct {
	Cluster   *rest.Config // with the credentials of the run
	Mode      Mode
	InCluster bool        // the run is in that cluster: its DNS and its network are those of the run
	Clock     clock.Clock // for how long answers are remembered; nil is the real one
}

// Reach reaches the Services of a cluster. It is safe for concurrent use.
type Reach struct {
	mode    Mode // never Auto
	book    *book
	tunnels *tunnels
	api     *api
	direct  net.Dialer
	names   resolver // of ports, in the cluster
	locals  locals
}

// dialLimit bounds all attempts to reach a Service.
const dialLimit = 20 * time.Second

// attempts are how many pods are tried: one may be about to end.
const attempts = 3

// New returns a Reach. It talks to nobody yet.
func New(c Config) (*Reach, error) {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	mode := c.Mode.For(c.InCluster)
	if mode == Direct {
		return &Reach{mode: mode, direct: dialer(), names: net.DefaultResolver}, nil
	}
	a, err := newAPI(c.Cluster)
	if err != nil {
		return nil, err
	}
	return &Reach{
		mode: mode, api: a,
		book:    &book{cluster: a, clock: c.Clock, known: map[Service]*entry{}},
		tunnels: &tunnels{opener: &forwarder{config: c.Cluster, address: a.address}, open: map[podName]*tunnel{}},
		direct:  dialer(),
	}, nil
}

func dialer() net.Dialer { return net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second} }

// Mode returns how Services are reached; it is never Auto.
func (r *Reach) Mode() Mode { return r.mode }

// Close closes all connections to the cluster.
func (r *Reach) Close() {
	if r.mode == Direct {
		return
	}
	r.locals.close()
	r.tunnels.close()
	r.api.http.CloseIdleConnections()
}

// Transport returns what sends a request to a Service on the way of the mode, and every other one as base does. The base
// belongs to it from then on.
func (r *Reach) Transport(base *http.Transport) http.RoundTripper {
	inside := base.Clone()
	inside.Proxy = nil // the proxy of the environment knows no Service
	inside.DialContext = r.DialContext
	return &transport{reach: r, outside: base, inside: inside}
}

// transport decides for every request.
type transport struct {
	reach           *Reach
	outside, inside *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	place, ok := ParseHost(req.URL.Hostname(), portOfURL(req))
	switch {
	case !ok, t.reach.mode == Direct && !place.named():
		return t.outside.RoundTrip(req)
	case t.reach.mode == Direct:
		return t.inside.RoundTrip(named(req, place))
	}
	s, err := t.reach.find(req.Context(), place)
	switch {
	case errors.Is(err, errNotService):
		return t.outside.RoundTrip(req)
	case err != nil:
		return nil, refuse(req, err)
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return t.outside.RoundTrip(t.external(req, s))
	case t.reach.mode == ServiceProxy:
		return t.reach.proxy(req, place, s)
	}
	return t.inside.RoundTrip(named(req, place))
}

// CloseIdleConnections lets http.Client close them.
func (t *transport) CloseIdleConnections() {
	t.outside.CloseIdleConnections()
	t.inside.CloseIdleConnections()
}

// external leads to the host that a Service is but another name for. The Host header stays, as in the cluster.
func (t *transport) external(req *http.Request, s *corev1.Service) *http.Request {
	to := req.Clone(req.Context())
	if to.Host == "" {
		to.Host = req.URL.Host
	}
	to.URL.Host = net.JoinHostPort(s.Spec.ExternalName, portOfURL(req))
	return to
}

// named takes the name of a port out of the Host header, where no server expects it.
func named(req *http.Request, p Place) *http.Request {
	if !p.named() || req.Host != "" && req.Host != req.URL.Host {
		return req
	}
	to := req.Clone(req.Context())
	to.Host = p.Name + "." + p.Namespace
	return to
}

// refuse ends a request that is not sent: a RoundTripper closes the body in any case.
func refuse(req *http.Request, err error) error {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return err
}

func portOfURL(req *http.Request) string {
	if port := req.URL.Port(); port != "" {
		return port
	}
	if req.URL.Scheme == "https" {
		return "443"
	}
	return "80"
}

// Names reports whether a host and port is a Service of the cluster, which only the cluster knows of a name of two labels.
// Where this way is that of every other host, nothing is one.
func (r *Reach) Names(ctx context.Context, hostport string) (bool, error) {
	place, ok := split(hostport)
	if !ok || r.mode == Direct {
		return false, nil
	}
	switch _, err := r.find(ctx, place); {
	case errors.Is(err, errNotService):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

func (r *Reach) find(ctx context.Context, p Place) (*corev1.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	return r.book.find(ctx, p)
}

// DialContext connects to a port of a Service by one of its ready pods, and to every other host as a net.Dialer does. A
// proxy of the API server cannot be dialled: there, only Transport leads to a Service.
func (r *Reach) DialContext(ctx context.Context, network, hostport string) (net.Conn, error) {
	place, ok := split(hostport)
	if !ok {
		return r.direct.DialContext(ctx, network, hostport)
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	if r.mode == Direct {
		at, err := r.resolve(ctx, hostport, place)
		if err != nil {
			return nil, err
		}
		return r.direct.DialContext(ctx, network, at)
	}
	s, err := r.book.find(ctx, place)
	switch {
	case errors.Is(err, errNotService):
		return r.direct.DialContext(ctx, network, hostport)
	case err != nil:
		return nil, err
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return r.direct.DialContext(ctx, network, net.JoinHostPort(s.Spec.ExternalName, place.Port))
	case r.mode == ServiceProxy:
		return nil, &Error{Service: place.Service, Message: "only HTTP requests get through the proxy of the API server; use --reach port-forward"}
	}
	return r.forward(ctx, place, s)
}

// forward tries one pod after the other.
func (r *Reach) forward(ctx context.Context, p Place, s *corev1.Service) (net.Conn, error) {
	var last error
	for range attempts {
		pods, err := r.book.pods(ctx, p, s)
		if err != nil {
			return nil, err
		}
		c, err := r.tunnels.dial(ctx, pods[0])
		if err == nil {
			return &served{conn: c, stale: func() { r.book.stale(p.Service) }}, nil
		}
		last = r.undialled(p, pods[0], err)
		r.book.stale(p.Service)
		if ctx.Err() != nil || !passing(last) {
			break
		}
	}
	return nil, last
}

func (r *Reach) undialled(p Place, to pod, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if forbidden(err) {
		return &Error{Service: p.Service, Message: fmt.Sprintf("this run may not forward ports of pods in namespace %q; "+
			"'penstock render rbac' prints the Role that lets it, and --reach service-proxy needs another permission", to.namespace), cause: err}
	}
	return &Error{Service: p.Service, Passing: true, cause: err,
		Message: fmt.Sprintf("forward port %d of its pod %q: %s", to.port, to.name, shown(err.Error()))}
}

func passing(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Passing
}

// served is a connection whose end is a reason to ask which pods are ready.
type served struct {
	*conn
	stale func()
	once  sync.Once
}

// Read looks for the end.
func (s *served) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	if err != nil {
		s.once.Do(s.stale)
	}
	return n, err
}
