package reach

import (
	"fmt"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Service is the name of a Service.
type Service struct {
	Namespace, Name string
}

// String returns namespace/name.
func (s Service) String() string { return s.Namespace + "/" + s.Name }

// Place is a port of a Service.
type Place struct {
	Service
	Port string // its number or name
	// Sure says that the host cannot be anything else. A name of two labels may as well be a host of the internet, such as
	// example.com: only the cluster knows.
	Sure bool
}

// ParseHost reads the host and port of a URL; false when it is no Service of a cluster for certain. What a Service may be
// called is what the cluster's DNS resolves in every namespace:
//
//	prometheus.istio-system                           unless the host ends with a dot, which no Service's does
//	prometheus.istio-system.svc
//	prometheus.istio-system.svc.cluster.local         or another domain of the cluster, with or without a dot at the end
//	_http-prom._tcp.prometheus.istio-system.svc       the port by its name: a URL has room for nothing but its number
//
// A name of one label is none: it means another Service in every namespace, and the machine of the run knows such names,
// too.
func ParseHost(host, port string) (Place, bool) {
	host = strings.ToLower(host)
	bare := strings.TrimSuffix(host, ".")
	if net.ParseIP(bare) != nil {
		return Place{}, false
	}
	labels := strings.Split(bare, ".")
	if len(labels) > 2 && strings.HasPrefix(labels[0], "_") && labels[1] == "_tcp" {
		port, labels = labels[0][1:], labels[2:]
	}
	if len(labels) < 2 || len(labels) == 2 && bare != host {
		return Place{}, false
	}
	if len(labels) > 2 && labels[2] != "svc" {
		return Place{}, false
	}
	p := Place{Service: Service{Namespace: labels[1], Name: labels[0]}, Port: port}
	if len(validation.IsDNS1123Label(p.Name)) > 0 || len(validation.IsDNS1123Label(p.Namespace)) > 0 || port == "" {
		return Place{}, false
	}
	domain := strings.Join(labels[min(len(labels), 3):], ".")
	p.Sure = len(labels) == 3 || domain == "cluster.local"
	return p, true
}

// split takes a host and port apart as ParseHost wants them.
func split(hostport string) (Place, bool) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return Place{}, false
	}
	return ParseHost(host, port)
}

// Mode is how Services are reached.
type Mode string

// The modes.
const (
	Auto         Mode = "auto"          // Direct for a run in the cluster, PortForward for any other
	Direct       Mode = "direct"        // by their names, as every other host
	PortForward  Mode = "port-forward"  // by a port of one of their pods, as kubectl port-forward has it
	ServiceProxy Mode = "service-proxy" // by the proxy of the API server
)

// ParseMode reads the name of a mode. Nothing is Auto.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return Auto, nil
	case Auto, Direct, PortForward, ServiceProxy:
		return m, nil
	}
	return "", fmt.Errorf("%q is not known; allowed are %s, %s, %s and %s", text, Auto, Direct, PortForward, ServiceProxy)
}

// For returns what a mode comes to: Auto is one of the others.
func (m Mode) For(inCluster bool) Mode {
	switch {
	case m != Auto && m != "":
		return m
	case inCluster:
		return Direct
	}
	return PortForward
}
