package kube

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAWorldThatCannotBeWatchedIsRefusedInPlainWords(t *testing.T) {
	refused := func(f *fixture, wants ...string) {
		f.t.Helper()
		start := time.Now()
		err := f.closedWorld().Start(f.ctx, 20*time.Second)
		if !errors.Is(err, ErrRefused) || time.Since(start) > 5*time.Second {
			f.t.Errorf("after %s: %v", time.Since(start), err)
			return
		}
		for _, want := range append(wants, "http://127.0.0.1:6443") {
			if !strings.Contains(err.Error(), want) {
				f.t.Errorf("%v does not say %q", err, want)
			}
		}
	}
	t.Run("no permission", func(t *testing.T) {
		inCluster(t, func(f *fixture) {
			f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "httproutes" })
			refused(f, `HTTPRoute "shop/podinfo"`, `resource "httproutes"`, `in the namespace "shop"`)
		})
	})
	t.Run("no CRD", func(t *testing.T) {
		inClusterOf(t, rehearsal.BuiltinKinds(), func(f *fixture) {
			refused(f, `HTTPRoute "shop/podinfo"`, "the cluster does not serve this kind of object; is its CRD installed?")
		})
	})
}

func TestAClusterThatDoesNotAnswerIsGivenUpAfterTheLimit(t *testing.T) {
	tests := map[string]struct {
		prepare func(f *fixture)
		says    string
	}{
		"it hangs": {func(f *fixture) {
			f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.APIFault{Hang: true} })
		}, "no answer"},
		"it is in trouble": {func(f *fixture) {
			f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
		}, "etcd is away"},
		"nobody is there": {func(f *fixture) {
			config := rest.CopyConfig(f.config)
			config.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
			f.client = f.connect(config)
		}, "connection refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				test.prepare(f)
				start := time.Now()
				err := f.closedWorld().Start(f.ctx, 20*time.Second)
				if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "did not answer within 20s") || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v", err)
				}
				if took := time.Since(start); took != 20*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestAClusterThatComesBackInTimeIsWatched(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultTooManyRequests(time.Second) })
		time.AfterFunc(5*time.Second, func() { f.api.Intercept(nil) })
		if o := f.observe(f.world()); !o.Target.Exists {
			t.Errorf("target %+v", o.Target)
		}
	})
}

func TestStopWaitsForTheWatchesAndTheEndOfTheContextEndsThem(t *testing.T) {
	inCluster(t, func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		w := f.closedWorld()
		if err := w.Start(ctx, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		f.observe(w)
		pass(time.Second)
		if n, want := f.api.Watches(), len(w.watched())+1; n != want {
			t.Errorf("%d watches, want one for each object and one for the pods: %d", n, want)
		}
		cancel()
		w.Stop()
		pass(time.Second)
		if n := f.api.Watches(); n != 0 {
			t.Errorf("%d watches are open after the end", n)
		}
	})
}

func TestAfterAnOutageTheWatchesAreOpenedAgainAndNothingIsMissed(t *testing.T) {
	tests := map[string]func(f *fixture){
		"where they stopped":                func(*fixture) {},
		"after the server has forgotten it": func(f *fixture) { f.api.LimitHistory(1) },
	}
	for name, also := range tests {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				w := f.world()
				revision := f.initialise(w)
				f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.APIFault{Drop: true} })
				pass(12 * time.Minute) // by then the server has ended every watch
				before := f.requests()
				pass(time.Minute)
				tries := 0
				for _, n := range f.sent(before) {
					tries += n
				}
				if limit := 80 * (len(w.watched()) + 1); tries == 0 || tries > limit {
					t.Errorf("%d tries in a minute of an outage, at most %d are decent", tries, limit)
				}
				also(f)
				f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
					_ = unstructured.SetNestedField(o, "two", "spec", "template", "metadata", "annotations", "note")
				})
				if err := f.api.Delete(serviceGVR, "shop", "podinfo-canary"); err != nil {
					t.Fatal(err)
				}
				f.api.Intercept(nil)
				pass(time.Minute)
				if o := f.observe(w); o.Target.Revision == revision {
					t.Error("the change of the target was missed")
				}
				f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
				if f.get(serviceGVR, "podinfo-canary") == nil {
					t.Error("the Service was not made anew")
				}
			})
		})
	}
}

// What an API server has taken and never answers, it does not answer after the outage either.
func TestAWatchThatIsNeverAnsweredIsOpenedAnew(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			return rehearsal.APIFault{Hang: r.Verb == "watch" || r.Verb == "list"}
		})
		pass(12 * time.Minute) // by then the server has ended every watch
		f.api.Intercept(nil)
		f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "two", "spec", "template", "metadata", "annotations", "note")
		})
		pass(requestTimeout + 10*time.Second)
		if o := f.observe(w); o.Target.Revision == revision {
			t.Error("the change of the target was missed")
		}
	})
}

func TestAChangeWakesWhoeverWaits(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		f.initialise(w)
		f.observe(w)
		select {
		case <-w.Changed():
		default:
		}
		start := time.Now()
		time.AfterFunc(7*time.Second, func() {
			f.edit(routeGVR, "podinfo", func(o map[string]any) {
				_ = unstructured.SetNestedField(o, "x", "metadata", "annotations", "team")
			})
		})
		<-w.Changed()
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("woken after %s", took)
		}
		if failed := w.store.failures(); len(failed) > 0 {
			t.Errorf("failures %v", failed)
		}
		if refs := w.watched(); slices.Contains(refs[1:], refs[0]) {
			t.Errorf("an object is watched twice: %v", refs)
		}
	})
}
