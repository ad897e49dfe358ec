package kube

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/server"
)

// deliver is one delivery, about a change of the same number.
func deliver(n int) server.Delivery {
	return server.Delivery{
		Key:     fmt.Sprintf("%016x", n+1),
		Subject: server.Subject{Platform: approval.GitLab, Repository: 7, Path: "shop/web", Change: int64(n + 1)}, At: time.Unix(int64(n), 0).UTC(),
	}
}

func TestTwoReplicasShareWhatCame(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := server.NewShared(NewDeliveries(f.client, "shop"), clock.RealClock{})
		two := server.NewShared(NewDeliveries(f.client, "shop"), clock.RealClock{})
		if p, err := one.Pending(f.ctx); err != nil || len(p) != 0 {
			t.Fatalf("before the first: %v %v", p, err)
		}
		var both sync.WaitGroup
		var mu sync.Mutex
		fresh, marks := 0, map[uint64]bool{}
		for _, s := range []*server.Shared{one, two} {
			both.Go(func() {
				for n := range 20 { // the same ones to both, as when a load balancer sends again
					receipts, err := s.Commit(f.ctx, server.Batch{Add: []server.Delivery{deliver(n)}})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if receipts[0].New {
						fresh++
						marks[receipts[0].Pending.Mark] = true
					}
					mu.Unlock()
				}
			})
		}
		both.Wait()
		p, err := two.Pending(f.ctx)
		if err != nil || len(p) != 20 || fresh != 20 || len(marks) != 20 {
			t.Fatalf("%d pending, %d new, %d marks: %v", len(p), fresh, len(marks), err)
		}
		if _, err := one.Commit(f.ctx, server.Batch{Done: p[:19]}); err != nil {
			t.Fatal(err)
		}
		again := server.NewShared(NewDeliveries(f.client, "shop"), clock.RealClock{}) // after a restart
		if left, err := again.Pending(f.ctx); err != nil || len(left) != 1 || left[0] != p[19] {
			t.Errorf("left %v %v", left, err)
		}
		live := f.get(configMapGVR, manifest.DeliveriesName)
		if live.GetLabels()["app.kubernetes.io/managed-by"] != FieldManager {
			t.Errorf("labels %v", live.GetLabels())
		}
	})
}

func TestDeliveriesAreWrittenOnlyWhenTheyChange(t *testing.T) {
	inCluster(t, func(f *fixture) {
		d := NewDeliveries(f.client, "shop")
		set := func(text string) func([]byte) ([]byte, error) {
			return func([]byte) ([]byte, error) { return []byte(text), nil }
		}
		if err := d.Update(f.ctx, set("a\x00b")); err != nil {
			t.Fatal(err)
		}
		version := f.get(configMapGVR, manifest.DeliveriesName).GetResourceVersion()
		if err := d.Update(f.ctx, set("a\x00b")); err != nil || f.get(configMapGVR, manifest.DeliveriesName).GetResourceVersion() != version {
			t.Errorf("the same is written again: %v", err)
		}
		full := errors.New("full")
		err := d.Update(f.ctx, func(old []byte) ([]byte, error) {
			if string(old) != "a\x00b" {
				t.Errorf("read %q", old)
			}
			return []byte("c"), full
		})
		if !errors.Is(err, full) || f.get(configMapGVR, manifest.DeliveriesName).GetResourceVersion() != version {
			t.Errorf("written in spite of %v", err)
		}
	})
}

func TestDeliveriesThatAreDeletedMeanwhileAreMadeAgain(t *testing.T) {
	inCluster(t, func(f *fixture) {
		d, calls := NewDeliveries(f.client, "shop"), 0
		maps := f.client.dynamic.Resource(configMapGVR).Namespace("shop")
		for i, want := range []int{1, 2} {
			err := d.Update(f.ctx, func(old []byte) ([]byte, error) {
				if calls++; calls == 2 { // somebody starts over, after this one has read
					if err := maps.Delete(f.ctx, manifest.DeliveriesName, metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				}
				return fmt.Appendf(nil, "%s%d", old, i), nil
			})
			if err != nil || calls < want {
				t.Errorf("%v after %d calls", err, calls)
			}
		}
		if err := d.Update(f.ctx, func(old []byte) ([]byte, error) {
			if string(old) != "1" || calls != 3 {
				t.Errorf("%q after %d calls", old, calls)
			}
			return old, nil
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedDeliveriesAreRefused(t *testing.T) {
	inCluster(t, func(f *fixture) {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": manifest.DeliveriesName},
			"binaryData": map[string]any{deliveriesKey: "e3sK"}, // {{
		}}
		if _, err := f.client.dynamic.Resource(configMapGVR).Namespace("shop").Create(f.ctx, object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := server.NewShared(NewDeliveries(f.client, "shop"), clock.RealClock{}).Pending(f.ctx)
		if err == nil || !strings.Contains(err.Error(), "delete the ConfigMap to start over") {
			t.Errorf("%v", err)
		}
	})
}
