package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReachTakesNoMoreThanItsWay(t *testing.T) {
	t.Parallel()
	services := []Reached{
		{Namespace: "istio-system", Name: "prometheus", Port: "9090"}, {Namespace: "test", Name: "tester", Port: "443", TLS: true},
		{Namespace: "test", Name: "tester", Port: "443", TLS: true},
	}
	for _, c := range []struct {
		name  string
		needs []Need
		want  []string
	}{
		{"port-forward", Forwarded(services), []string{
			`get services "prometheus" in namespace "istio-system"`,
			`list endpointslices.discovery.k8s.io in namespace "istio-system"`,
			`get pods/portforward in namespace "istio-system"`,
			`create pods/portforward in namespace "istio-system"`,
			`get services "tester" in namespace "test"`,
			`list endpointslices.discovery.k8s.io in namespace "test"`,
			`get pods/portforward in namespace "test"`,
			`create pods/portforward in namespace "test"`,
		}},
		{"service-proxy", Proxied(services), []string{
			`get services "prometheus" in namespace "istio-system"`,
			`get services/proxy "prometheus:9090" in namespace "istio-system"`,
			`create services/proxy "prometheus:9090" in namespace "istio-system"`,
			`get services "tester" in namespace "test"`,
			`get services/proxy "https:tester:443" in namespace "test"`,
			`create services/proxy "https:tester:443" in namespace "test"`,
		}},
	} {
		var got []string
		for _, n := range c.needs {
			got = append(got, n.String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}
