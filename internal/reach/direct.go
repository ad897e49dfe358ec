package reach

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// resolver looks up the SRV records of a host; *net.Resolver is one.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// byName sends requests whose host names a port of a Service, such as _web._tcp.shop.prod.svc, to where the DNS of the
// cluster says that the port is (RFC 2782; Kubernetes DNS-Based Service Discovery, 2.3.2). Every other host has the base's
// way.
type byName struct {
	base   *http.Transport
	inside *http.Transport
}

func (r *Reach) directly(base *http.Transport) http.RoundTripper {
	inside := base.Clone()
	inside.Proxy = nil // the proxy of the environment knows no Service
	inside.DialContext = r.dialNamed
	return &byName{base: base, inside: inside}
}

// RoundTrip implements http.RoundTripper.
func (t *byName) RoundTrip(req *http.Request) (*http.Response, error) {
	place, ok := ParseHost(req.URL.Hostname(), portOfURL(req))
	if !ok || !place.named() {
		return t.base.RoundTrip(req)
	}
	return t.inside.RoundTrip(named(req, place))
}

// CloseIdleConnections lets http.Client close them.
func (t *byName) CloseIdleConnections() {
	t.base.CloseIdleConnections()
	t.inside.CloseIdleConnections()
}

// named says whether the port is a name and no number.
func (p Place) named() bool {
	_, err := strconv.Atoi(p.Port)
	return err != nil
}

// dialNamed connects to the port of a Service that the host names. A name without a domain is looked up in the cluster's
// as every other one is.
func (r *Reach) dialNamed(ctx context.Context, network, hostport string) (net.Conn, error) {
	place, ok := split(hostport)
	if !ok {
		return r.direct.DialContext(ctx, network, hostport)
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	host, _, _ := net.SplitHostPort(hostport) // split has read it
	if !strings.Contains(host, ".svc") {
		host += ".svc" // a record of a Service has no shorter name
	}
	_, found, err := r.names.LookupSRV(ctx, "", "", host)
	if err != nil {
		return nil, &Error{Service: place.Service, Passing: true, cause: err,
			Message: fmt.Sprintf("the DNS of the cluster knows no port %q of it: %s", place.Port, shown(err.Error()))}
	}
	if len(found) == 0 {
		return nil, &Error{Service: place.Service, Message: fmt.Sprintf("the DNS of the cluster knows no port %q of it", place.Port)}
	}
	return r.direct.DialContext(ctx, network, net.JoinHostPort(found[0].Target, strconv.Itoa(int(found[0].Port))))
}
