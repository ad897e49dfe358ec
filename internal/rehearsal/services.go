package rehearsal

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Address returns where a host and port of a canary's load test are reached: at the proxy of the rehearsal, which stands in
// for every Service of a cluster. A host of the internet is an error: a rehearsal has no business to load a real system.
func (c *Cluster) Address(_ context.Context, hostport string) (string, error) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", fmt.Errorf("%q is not a host and port", hostport)
	}
	if !inside(c.options.Canary, host) {
		return "", fmt.Errorf("%s is not reached in a rehearsal: it is no Service of the cluster, and none of spec.service.hosts", host)
	}
	return c.proxy.server.Addr().String(), nil
}

// Through is the way of smoke tests: to where Address leads, and nowhere else.
func (c *Cluster) Through(base *http.Transport) http.RoundTripper {
	var dialer net.Dialer
	base.Proxy = nil
	base.DialContext = func(ctx context.Context, network, hostport string) (net.Conn, error) {
		at, err := c.Address(ctx, hostport)
		if err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, at)
	}
	return base
}

// inside reports whether a host is the canary's own or that of a Service, such as the gateway of a mesh.
func inside(c *canary.Canary, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if net.ParseIP(host) != nil {
		return false
	}
	if slices.Contains(c.Spec.Service.Hosts, host) || !strings.Contains(host, ".") && host != "localhost" {
		return true
	}
	labels := strings.Split(host, ".")
	if len(labels) == 2 {
		return !slices.Contains([]string{"com", "org", "net", "io"}, labels[1])
	}
	return len(labels) > 2 && labels[2] == "svc"
}

// ownService returns the version that a host is the Service of, past the router.
func ownService(c *canary.Canary, hostport string) (Version, bool) {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	labels := strings.Split(strings.ToLower(host), ".")
	if len(labels) > 1 && labels[1] != c.Namespace {
		return 0, false
	}
	switch labels[0] {
	case c.ServiceName() + "-canary":
		return Canary, true
	case c.ServiceName() + "-primary":
		return Primary, true
	}
	return 0, false
}
