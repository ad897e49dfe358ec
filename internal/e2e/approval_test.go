package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// waitingGate is what the notice of a run says of the gate at which it waits.
type waitingGate struct {
	Gate struct {
		Rollout, Nonce string
		Number         int
		OpenedAt       time.Time
	}
	Over bool
}

// target is what people copy.
func (g waitingGate) target() string {
	short := strings.ReplaceAll(strings.ToLower(g.Gate.Rollout), "-", "")
	return fmt.Sprintf("%s-%d-%s", short[max(0, len(short)-6):], g.Gate.Number, g.Gate.Nonce)
}

// awaitGate waits until the run waits at its gate.
func (s *scenario) awaitGate() waitingGate {
	s.t.Helper()
	return s.awaitNotice("penstock-podinfo-gate")
}

// awaitNotice waits until a gate waits, whose notice is in a ConfigMap.
func (s *scenario) awaitNotice(name string) waitingGate {
	s.t.Helper()
	var g waitingGate
	s.Await("a gate that waits for people", func(ctx context.Context) error {
		object, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(object.Data["notice.json"]), &g); err != nil {
			return err
		}
		return unless(!g.Gate.OpenedAt.IsZero() && !g.Over, "%+v", g)
	})
	return g
}

// Two replicas, one of which is killed and comes back, hear a storm of comments, each of them twice and in any order. Every
// approval that counts counts once, and a question has one answer.
func TestTwoServersLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	const eligible, visitors = 12, 18
	s := newScenario(t, "gatewayapi:v1")
	s.initialise()
	forge := newGitHub(t, 5*time.Millisecond)
	one, first := s.serve(forge, "127.0.0.1:0")
	_, second := s.serve(forge, "127.0.0.1:0")
	run := s.runWith(s.job(forge), "--image", "podinfo="+v2, "--approvals", "server", "--approve", "confirm-promotion",
		"--approvers", fmt.Sprintf("role:write,count:%d", eligible), "--approvals-every", "10m")
	line := "/canary approve " + s.awaitGate().target()
	time.Sleep(1100 * time.Millisecond) // the forge's moments are full seconds, and a comment of the gate's own second is before it
	var said []map[string]any
	for id := range eligible {
		said = append(said, forge.says(id+2, line))
	}
	for id := range visitors {
		said = append(said, forge.says(id+100, line))
	}
	said = append(said, forge.says(100, "/canary help"))
	deliveries := slices.Concat(said, said)
	rand.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, d := range deliveries {
		if i == len(deliveries)/3 {
			one.Kill()
		}
		if i == 2*len(deliveries)/3 {
			s.serve(forge, first)
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			to := []string{first, second}
			for try := rand.IntN(2); ; try++ { // what one does not take is sent to the other, as a load balancer does
				if status := deliver("http://"+to[try%2], d); status == 202 || status == 200 {
					return
				}
				if t.Context().Err() != nil {
					return
				}
			}
		})
	}
	all.Wait()
	s.end(run, 0)
	s.wantPromoted(v2)
	object, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Get(t.Context(), "penstock-podinfo-decisions", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Decisions []struct {
			Comment int64
			Counted bool
			Verb    string
		}
	}
	if err := json.Unmarshal([]byte(object.Data["decisions.json"]), &log); err != nil {
		t.Fatal(err)
	}
	counted, times := 0, map[int64]int{}
	for _, d := range log.Decisions {
		if times[d.Comment]++; times[d.Comment] > 1 {
			t.Errorf("comment %d is there %d times", d.Comment, times[d.Comment])
		}
		if d.Counted {
			counted++
		}
	}
	if counted != eligible {
		t.Errorf("%d approvals count, want %d", counted, eligible)
	}
	s.Await("the answer to the question", func(context.Context) error { return unless(forge.answers("<!-- penstock:help ") > 0, "none") })
	if n := forge.answers("<!-- penstock:help "); n != 1 {
		t.Errorf("the question has %d answers", n)
	}
}

// BenchmarkApproval measures how long it takes from the webhook of a comment to the open gate in the job, with real
// processes and a forge that answers within 50 ms. Every step of one rollout waits for its approval. Run it alone:
//
//	cd internal/e2e && go test -run xxx -bench Approval -benchtime 100x -timeout 20m .
func BenchmarkApproval(b *testing.B) {
	steps := min(b.N, 100)
	s := newScenario(b, "gatewayapi:v1", analysis("stepWeight", 1), analysis("maxWeight", steps))
	s.initialise()
	forge := newGitHub(b, 50*time.Millisecond)
	_, address := s.serve(forge, "127.0.0.1:0")
	maps, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Watch(b.Context(), metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer maps.Stop()
	s.runWith(s.job(forge), "--image", "podinfo="+v2, "--approvals", "server", "--approve", "confirm-traffic-increase",
		"--approvers", "role:write", "--approvals-every", "10m")
	b.ResetTimer()
	var took []time.Duration
	for range steps {
		gate := nextGate(b, maps.ResultChan(), len(took)+1)
		time.Sleep(time.Until(gate.Gate.OpenedAt.Truncate(time.Second).Add(2 * time.Second))) // a comment of the same second is before the gate
		said := forge.says(2, "/canary approve "+gate.target())
		begin := time.Now()
		if status := deliver("http://"+address, said); status != 202 {
			b.Fatalf("the webhook was answered by %d", status)
		}
		took = append(took, opened(b, maps.ResultChan()).Sub(begin))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return took[min(len(took)-1, int(share*float64(len(took))))].Seconds() * 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(took[len(took)-1].Seconds()*1000, "max-ms")
	b.ReportMetric(0, "ns/op") // which says nothing here
}

// nextGate waits until the run says that a gate of that number, or a later one, waits.
func nextGate(b *testing.B, events <-chan watch.Event, number int) (g waitingGate) {
	b.Helper()
	each(b, events, "the gate to wait for people", func(object *corev1.ConfigMap) bool {
		if object.Name != "penstock-podinfo-gate" {
			return false
		}
		g = waitingGate{}
		return json.Unmarshal([]byte(object.Data["notice.json"]), &g) == nil && g.Gate.Number >= number && !g.Gate.OpenedAt.IsZero()
	})
	return g
}

// opened waits until the record of the run says that it is past its gate, and returns when that was seen.
func opened(b *testing.B, events <-chan watch.Event) time.Time {
	b.Helper()
	each(b, events, "the gate to open", func(object *corev1.ConfigMap) bool {
		var r struct{ Status struct{ Gate string } }
		return object.Name == "penstock-podinfo" && json.Unmarshal([]byte(object.Data["record.json"]), &r) == nil && r.Status.Gate == ""
	})
	return time.Now()
}

// each hands ConfigMaps on as they change, until one is what is waited for.
func each(b *testing.B, events <-chan watch.Event, what string, is func(*corev1.ConfigMap) bool) {
	b.Helper()
	for {
		select {
		case e := <-events:
			if object, ok := e.Object.(*corev1.ConfigMap); ok && is(object) {
				return
			}
		case <-time.After(patience):
			b.Fatalf("waited %s for %s", patience, what)
		}
	}
}
