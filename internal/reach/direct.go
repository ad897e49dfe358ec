package reach

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// resolver looks up the SRV records of a host; *net.Resolver is one.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// named says whether the port is a name and no number.
func (p Place) named() bool {
	_, err := strconv.Atoi(p.Port)
	return err != nil
}

// resolve returns where a host and port are in the cluster: those that name a port of a Service, such as
// _web._tcp.shop.prod.svc, where the DNS of the cluster says that it is (RFC 2782; Kubernetes DNS-Based Service Discovery,
// 2.3.2), and every other one where it says itself. A name without a domain is looked up in the cluster's as any is.
func (r *Reach) resolve(ctx context.Context, hostport string, p Place) (string, error) {
	if !p.named() {
		return hostport, nil
	}
	host, _, _ := net.SplitHostPort(hostport) // it has been read
	if !strings.Contains(host, ".svc") {
		host += ".svc" // a record of a Service has no shorter name
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	_, found, err := r.names.LookupSRV(ctx, "", "", host)
	switch {
	case err != nil:
		return "", &Error{Service: p.Service, Passing: true, cause: err,
			Message: fmt.Sprintf("the DNS of the cluster knows no port %q of it: %s", p.Port, shown(err.Error()))}
	case len(found) == 0:
		return "", &Error{Service: p.Service, Message: fmt.Sprintf("the DNS of the cluster knows no port %q of it", p.Port)}
	}
	return net.JoinHostPort(found[0].Target, strconv.Itoa(int(found[0].Port))), nil
}
