package kube

import (
	"fmt"
	"runtime"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
)

// BenchmarkWaitingGates measures what gates cost a server that wait for people: memory for each, and the time in which a
// delivery finds those of its change among all.
func BenchmarkWaitingGates(b *testing.B) {
	for _, gates := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(gates), func(b *testing.B) {
			before := heap()
			notices := NewNotices(nil, []string{""}, func(err error) { b.Error(err) })
			bytes := 0
			for i := range gates {
				object := noticeOf(b, i+1)
				bytes += len(object.Object["data"].(map[string]any)[noticeKey].(string))
				notices.put(object)
			}
			after := heap()
			b.ResetTimer()
			for range b.N {
				if n := len(notices.For(approval.Source{Platform: approval.GitHub, Repository: 7, Change: int64(gates / 2)})); n != 1 {
					b.Fatalf("%d notices", n)
				}
			}
			b.ReportMetric(float64(after-before)/float64(gates), "heap-B/gate")
			b.ReportMetric(float64(bytes)/float64(gates), "stored-B/gate")
			runtime.KeepAlive(notices)
		})
	}
}

// noticeOf is the ConfigMap of one of many gates, each on a change of its own.
func noticeOf(b *testing.B, i int) *unstructured.Unstructured {
	b.Helper()
	n := waitingAt(1)
	n.Namespace, n.Canary, n.Epoch = "shop", fmt.Sprintf("podinfo-%d", i), 3
	n.Gate.Source.Change = int64(i)
	text, err := approval.RenderNotice(n)
	if err != nil {
		b.Fatal(err)
	}
	c := &canary.Canary{}
	c.Namespace, c.Name = n.Namespace, n.Canary
	object := c.RefOf(configMapGVR, "ConfigMap", manifest.GateName(c)).New()
	object.Object["data"] = map[string]any{noticeKey: text}
	return object
}

// heap is what is reachable now, in bytes.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
