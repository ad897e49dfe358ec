package rehearsal

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestLoadLeadsToTheEmbeddedClusterAndNowhereElse(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{}
	c.Namespace, c.Spec.TargetRef.Name, c.Spec.Service.Hosts = "test", "podinfo", []string{"app.example.com"}
	for host, want := range map[string]bool{
		"podinfo.test": true, "podinfo-canary.test.svc.cluster.local": true, "podinfo": true, "istio-ingressgateway.istio-system": true,
		"app.example.com": true, "example.com": false, "www.example.com": false, "10.0.0.1": false, "localhost": false, "fd00::1": false,
	} {
		if got := inside(c, host); got != want {
			t.Errorf("%s is reached %v, want %v", host, got, want)
		}
	}
	for host, want := range map[string]int{
		"podinfo-canary.test": int(Canary), "podinfo-canary.test:9898": int(Canary), "podinfo-primary.test.svc": int(Primary), "podinfo-canary": int(Canary),
		"podinfo.test": -1, "podinfo-canary.prod": -1, "": -1,
	} {
		got, ok := ownService(c, host)
		if ok != (want >= 0) || ok && int(got) != want {
			t.Errorf("%q is the Service of version %v (%v), want %d", host, got, ok, want)
		}
	}
}
