package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow answers every request after a minute, and counts them.
type slow struct {
	asked, now, most atomic.Int64
}

func (s *slow) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if now := s.now.Add(1); now > s.most.Load() {
		s.most.Store(now) // in a bubble of one, nearly: it is a lower bound
	}
	_ = sleep(r.Context(), time.Minute)
	s.now.Add(-1)
}

func smokePayload(n int) Payload {
	return payload("type", "http", "timeout", "1h", "url", fmt.Sprintf("http://podinfo.test/%d", n))
}

func TestTheSameTaskRunsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &slow{}
		tester := newTester(t, Options{HTTP: inMemory{server}})
		var waits sync.WaitGroup
		ids := make([]string, 5)
		for i := range ids {
			waits.Go(func() {
				p := smokePayload(1)
				p.Phase = fmt.Sprint(i) // the phase makes no other task of it
				p.Metadata["returnCmdOutput"] = fmt.Sprint(i%2 == 0)
				ids[i] = mustRun(t, tester, p).ID
			})
		}
		waits.Wait()
		if server.asked.Load() != 1 || strings.Count(strings.Join(ids, " "), ids[0]) != len(ids) {
			t.Errorf("asked %d, ids %q", server.asked.Load(), ids)
		}
		if again := mustRun(t, tester, smokePayload(1)); again.ID == ids[0] || server.asked.Load() != 2 {
			t.Errorf("what has ended does not run again: %+v", again)
		}
		other := smokePayload(1)
		other.Namespace = "prod"
		if _, err := tester.Start(t.Context(), other); err != nil {
			t.Error(err)
		}
		mustRun(t, tester, smokePayload(1))
		tester.Wait()
		if server.asked.Load() != 4 {
			t.Errorf("asked %d", server.asked.Load())
		}
	})
}

func TestNoTaskOfAThousandIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &slow{}
		var done atomic.Int64
		tester := newTester(t, Options{HTTP: inMemory{server}, Concurrency: 8, Keep: 10, Done: func(r Result) {
			if r.Passed {
				done.Add(1)
			}
		}})
		for i := range 1000 {
			if _, err := tester.Start(t.Context(), smokePayload(i)); err != nil {
				t.Fatal(err)
			}
		}
		tester.Wait()
		if server.asked.Load() != 1000 || done.Load() != 1000 || server.most.Load() > 8 {
			t.Errorf("asked %d, done %d, at once %d", server.asked.Load(), done.Load(), server.most.Load())
		}
		if kept := tester.Results(); len(kept) != 10 || kept[0].ID == kept[9].ID {
			t.Errorf("kept %d", len(kept))
		}
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tester := newTester(t, Options{HTTP: inMemory{&slow{}}, Queue: 2, Concurrency: 1})
		for i := range 2 {
			if _, err := tester.Start(ctx, smokePayload(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tester.Start(ctx, smokePayload(2)); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if _, err := tester.Start(ctx, smokePayload(0)); err != nil {
			t.Errorf("the same task needs no place of its own: %v", err)
		}
		cancel()
		tester.Wait()
		if kept := tester.Results(); len(kept) != 0 {
			t.Errorf("what was interrupted has a result: %+v", kept)
		}
		if _, err := tester.Run(t.Context(), smokePayload(2)); err != nil {
			t.Error(err)
		}
	})
}

func TestATaskThatTakesTooLongDoesNotPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tester := newTester(t, Options{HTTP: inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusBadGateway)
		})}, Timeout: 30 * time.Second})
		result := mustRun(t, tester, smokePayload(1))
		if result.Passed || result.Elapsed != 30*time.Second || !strings.HasPrefix(result.Message, "stopped after 30s") {
			t.Errorf("%+v", result)
		}
	})
}

func TestWhoWaitsMayGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tester := newTester(t, Options{HTTP: inMemory{&slow{}}})
		if _, err := tester.Start(t.Context(), smokePayload(1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tester.Run(ctx, smokePayload(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		tester.Wait()
		if kept := tester.Results(); len(kept) != 1 || !kept[0].Passed || kept[0].Elapsed != time.Minute {
			t.Errorf("%+v", kept)
		}
	})
}

func TestAResultSaysWhatItIsOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tester := newTester(t, Options{HTTP: inMemory{http.HandlerFunc(podinfo)}})
		p := payload("type", "http", "url", "http://u:geheim@podinfo.test/text?token=geheim", "logCmdOutput", "true")
		r := mustRun(t, tester, p)
		if r.Name != "podinfo" || r.Namespace != "test" || r.Phase != "Progressing" || r.Type != "http" || !r.Log || r.Output != "not JSON" ||
			r.Task != "http GET http://podinfo.test/text?***" || !r.Started.Equal(time.Now()) {
			t.Errorf("%+v", r)
		}
	})
}

func TestOnlyAllowedNamespacesAreTested(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{Namespaces: regexp.MustCompile("^test$")})
	other := payload("type", "http", "url", "http://podinfo.test")
	other.Namespace = "prod"
	if err := tester.Check(other); !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	for url, allowed := range map[string]bool{
		"http://podinfo.test/": true, "http://podinfo/": true, "http://podinfo.test.svc:9898/": true, "http://www.example.com/": true,
		"http://10.0.0.1/": true, "http://example.com./": true, "http://[::1]:80/": true, "http://podinfo.test.svc.cluster.local./": true,
		"http://podinfo.prod/": false, "http://podinfo.PROD.svc": false, "http://podinfo.prod.svc.cluster.local:80/": false,
		"http://web-0.web.prod.svc/": false, "http://example.com/": false,
	} {
		for _, p := range []Payload{payload("type", "http", "url", url), payload("cmd", "hey "+url)} {
			if err := tester.Check(p); (err == nil) != allowed {
				t.Errorf("%v: %v", p.Metadata, err)
			}
		}
	}
	if err := tester.Check(payload("cmd", "hey -x proxy.prod:3128 http://podinfo.test")); err == nil {
		t.Error("a proxy in another namespace is allowed")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Options{MaxOutput: -1, Concurrency: -1, Queue: -1, Keep: -1, Timeout: -1, Env: []string{"A=b"}})
	if problems, ok := errors.AsType[Problems](err); !ok || len(problems) != 6 {
		t.Error(err)
	}
}

func TestTheRegistryHasTheTypesOfFlagger(t *testing.T) {
	t.Parallel()
	for kind, background := range map[string]bool{
		"cmd": true, "bash": false, "helm": false, "helmv3": false, "kubectl": false, "concord": false, "ngrinder": true, "rate": true, "http": false, "": false,
	} {
		if _, known := kinds[kind]; known != (kind != "") || payload("type", kind).Background() != background {
			t.Errorf("type %q", kind)
		}
	}
	if !payload("cmd", "true").Background() {
		t.Error("a task without a type is a command")
	}
}
