package reach

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAHostIsAServiceByItsName(t *testing.T) {
	t.Parallel()
	prometheus := Service{Namespace: "istio-system", Name: "prometheus"}
	for _, c := range []struct {
		host, port string
		want       Place
		not        bool
	}{
		{host: "prometheus.istio-system", port: "9090", want: Place{Service: prometheus, Port: "9090"}},
		{host: "Prometheus.Istio-System", port: "9090", want: Place{Service: prometheus, Port: "9090"}},
		{host: "prometheus.istio-system.svc", port: "9090", want: Place{Service: prometheus, Port: "9090", Sure: true}},
		{host: "prometheus.istio-system.svc.", port: "9090", want: Place{Service: prometheus, Port: "9090", Sure: true}},
		{host: "prometheus.istio-system.svc.cluster.local", port: "80", want: Place{Service: prometheus, Port: "80", Sure: true}},
		{host: "prometheus.istio-system.svc.cluster.local.", port: "80", want: Place{Service: prometheus, Port: "80", Sure: true}},
		{host: "prometheus.istio-system.svc.k8s.example", port: "80", want: Place{Service: prometheus, Port: "80"}},
		{host: "_http-prom._tcp.prometheus.istio-system.svc", port: "80", want: Place{Service: prometheus, Port: "http-prom", Sure: true}},
		{host: "_http-prom._tcp.prometheus.istio-system", port: "80", want: Place{Service: prometheus, Port: "http-prom"}},
		{host: "example.com", port: "443", want: Place{Service: Service{Namespace: "com", Name: "example"}, Port: "443"}},
		{host: "example.com.", port: "443", not: true},
		{host: "www.example.com", port: "443", not: true},
		{host: "web-0.web.shop.svc.cluster.local", port: "80", not: true},
		{host: "prometheus", port: "9090", not: true},
		{host: "localhost", port: "9090", not: true},
		{host: "10.0.0.1", port: "9090", not: true},
		{host: "fd00::1", port: "9090", not: true},
		{host: "a_b.c", port: "80", not: true},
		{host: "-a.b", port: "80", not: true},
		{host: ".b", port: "80", not: true},
		{host: "", port: "80", not: true},
		{host: "a.b", not: true},
		{host: strings.Repeat("a", 64) + ".b", port: "80", not: true},
	} {
		got, ok := ParseHost(c.host, c.port)
		if ok == c.not {
			t.Errorf("%s:%s: is a Service %v, want %v", c.host, c.port, ok, !c.not)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:%s: (-want +got)\n%s", c.host, c.port, diff)
		}
	}
}

func TestModesAreKnownByTheirNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Mode{
		"": Auto, "auto": Auto, "direct": Direct, "port-forward": PortForward, "service-proxy": ServiceProxy,
	} {
		if got, err := ParseMode(text); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
	if _, err := ParseMode("tunnel"); err == nil || !strings.Contains(err.Error(), "auto, direct, port-forward and service-proxy") {
		t.Errorf("a mode that is not known: %v, want an error that lists those that are", err)
	}
}

func TestAutoDependsOnWhereTheRunIs(t *testing.T) {
	t.Parallel()
	if in, out := Auto.For(true), Auto.For(false); in != Direct || out != PortForward {
		t.Errorf("auto is %q in the cluster and %q outside, want direct and port-forward", in, out)
	}
	if in, out := ServiceProxy.For(true), Direct.For(false); in != ServiceProxy || out != Direct {
		t.Errorf("a mode that is given is changed: to %q and %q", in, out)
	}
}
