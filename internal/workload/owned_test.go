package workload_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

func TestAnObjectOfTheWholeClusterIsOneCanarysOfOneNamespace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		namespace, made string
		want            bool
	}{
		{"shop", "podinfo", true}, {"shop", "shop/podinfo", false}, {"shop", "", false},
		{"", "shop/podinfo", true}, {"", "market/podinfo", false}, {"", "podinfo", false}, {"", "", false},
	} {
		cn := new(canary.Canary)
		cn.Name, cn.Namespace = "podinfo", "shop"
		live := &metav1.ObjectMeta{Name: "podinfo", Namespace: c.namespace, Annotations: map[string]string{workload.CanaryAnnotation: c.made}}
		if got := workload.Owned(cn, "TrafficRoute", live); got != c.want {
			t.Errorf("in namespace %q, made for %q: %v", c.namespace, c.made, got)
		}
	}
}
