package follow_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/follow"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

var (
	canaries    = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

const canaryYAML = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: shop}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service: {port: 80}
  analysis: {interval: 10s, threshold: 2, stepWeight: 10, maxWeight: 30}
`

const targetYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: app, image: "podinfo:1"}]}
`

// fixture is an embedded cluster in which the test plays Flagger.
type fixture struct {
	t         *testing.T
	ctx       context.Context
	api       *rehearsal.API
	client    *kube.Client
	canary    *canary.Canary
	stop      chan struct{}
	snapshots []report.Snapshot
}

func (f *fixture) Report(_ context.Context, u runner.Update) {
	f.snapshots = append(f.snapshots, u.Snapshot)
}

func inCluster(t *testing.T, test func(f *fixture)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		kinds := slices.Concat(rehearsal.DefaultKinds(), rehearsal.FlaggerKinds())
		f := &fixture{t: t, ctx: ctx, api: rehearsal.NewAPI(clock.RealClock{}, kinds...), canary: new(canary.Canary), stop: make(chan struct{})}
		server := f.api.ListenPipe(ctx)
		defer server.Wait()
		defer cancel()
		var err error
		if f.client, err = kube.New(server.Config(), "shop"); err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict([]byte(canaryYAML), f.canary); err != nil {
			t.Fatal(err)
		}
		test(f)
	})
}

func (f *fixture) create(text string) {
	f.t.Helper()
	o := &unstructured.Unstructured{}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = o.UnmarshalJSON(data)
	}
	if err == nil {
		_, err = f.api.Create(o, "kubectl")
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// installed is a cluster in which Flagger has finished a rollout before.
func (f *fixture) installed() {
	f.t.Helper()
	f.create(canaryYAML)
	f.create(strings.ReplaceAll(targetYAML, "NAME", "podinfo"))
	f.create(strings.ReplaceAll(targetYAML, "NAME", "podinfo-primary"))
	f.flagger("Succeeded", 0, "a", "a")
}

// flagger writes the status as Flagger does.
func (f *fixture) flagger(phase string, weight int, applied, promoted string) {
	f.t.Helper()
	o, err := f.api.Get(canaries, "shop", "podinfo")
	if err != nil {
		f.t.Fatal(err)
	}
	o.Object["status"] = map[string]any{
		"phase": phase, "canaryWeight": int64(weight), "failedChecks": int64(0), "iterations": int64(0),
		"lastAppliedSpec": applied, "lastPromotedSpec": promoted, "lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}
	if _, err := f.api.UpdateStatus(o, "flagger"); err != nil {
		f.t.Fatal(err)
	}
	f.pass(10 * time.Second)
}

func (f *fixture) warn(message string) {
	f.t.Helper()
	f.create(`
apiVersion: v1
kind: Event
metadata: {generateName: podinfo-, namespace: shop}
involvedObject: {kind: Canary, name: podinfo, namespace: shop}
type: Warning
reason: Synced
count: 1
message: "` + message + `"
`)
}

func (f *fixture) image(name string) string {
	f.t.Helper()
	o, err := f.api.Get(deployments, "shop", name)
	if err != nil {
		f.t.Fatal(err)
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	return list[0].(map[string]any)["image"].(string)
}

func (f *fixture) setImage(name, image string) {
	f.t.Helper()
	o, err := f.api.Get(deployments, "shop", name)
	if err != nil {
		f.t.Fatal(err)
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	list[0].(map[string]any)["image"] = image
	if err := unstructured.SetNestedSlice(o.Object, list, "spec", "template", "spec", "containers"); err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.api.Update(o, "flagger"); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

type end struct {
	result runner.Result
	err    error
}

// follow starts to follow; the end comes by the channel.
func (f *fixture) follow(image string) <-chan end {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.ctx)
	flagger, err := kube.FollowFlagger(ctx, f.client, f.canary)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := flagger.Preflight(ctx); err != nil {
		f.t.Fatal(err)
	}
	if err := flagger.Start(ctx, 20*time.Second); err != nil {
		f.t.Fatal(err)
	}
	run := &follow.Run{
		Canary: flagger.Canary(), Images: map[string]string{"app": image}, Cluster: flagger, Reporters: []runner.Reporter{f},
		Clock: clock.RealClock{}, Stop: f.stop, GiveUp: time.Minute,
		Snapshot: report.Snapshot{Canary: "podinfo", Namespace: "shop", Image: image},
	}
	ended := make(chan end, 1)
	go func() {
		result, err := run.Do(ctx)
		cancel()
		flagger.Stop()
		ended <- end{result, err}
	}()
	f.pass(time.Second)
	return ended
}

func TestARolloutIsFollowedToItsPromotion(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		f.warn("of a rollout before")
		ended := f.follow("podinfo:2")
		if got := f.image("podinfo"); got != "podinfo:2" {
			t.Fatalf("the target runs %s", got)
		}
		f.flagger("Progressing", 0, "b", "a")
		f.flagger("Progressing", 10, "b", "a")
		f.flagger("Progressing", 20, "b", "a")
		f.flagger("Progressing", 30, "b", "a")
		f.flagger("WaitingPromotion", 0, "b", "a")
		f.setImage("podinfo-primary", "podinfo:2")
		f.flagger("Promoting", 30, "b", "a")
		f.flagger("Finalising", 0, "b", "a")
		f.flagger("Succeeded", 0, "b", "b")
		e := <-ended
		if e.err != nil || e.result.Outcome != rollout.Promoted {
			t.Fatalf("%v, %v: %s", e.result.Outcome, e.err, e.result.Reason)
		}
		var weights []rollout.Weight
		for _, s := range f.snapshots {
			if len(weights) == 0 || weights[len(weights)-1] != s.Status.Weight {
				weights = append(weights, s.Status.Weight)
			}
			if strings.Contains(s.Reason, "before") && strings.Contains(s.Reason, "of a rollout") {
				t.Errorf("an old event is shown: %s", s.Reason)
			}
		}
		if diff := cmp.Diff([]rollout.Weight{0, 10, 20, 30, 0}, weights); diff != "" {
			t.Errorf("weights (-want +got):\n%s", diff)
		}
		if got := len(report.Summarise(e.result.Snapshot).Steps); got != 3 {
			t.Errorf("%d steps in the result", got)
		}
	})
}

func TestARolledBackRevisionIsReportedWithFlaggersWords(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		ended := f.follow("podinfo:2")
		f.flagger("Progressing", 10, "b", "a")
		f.warn("Halt advancement podinfo.shop success rate 69.17% < 99%")
		f.flagger("Progressing", 10, "b", "a")
		f.warn("Rolling back podinfo.shop failed checks threshold reached 2")
		f.flagger("Failed", 0, "b", "a")
		e := <-ended
		if e.err != nil || e.result.Outcome != rollout.RolledBack || !strings.Contains(e.result.Reason.String(), "success rate 69.17% < 99%") {
			t.Fatalf("%v, %v: %s", e.result.Outcome, e.err, e.result.Reason)
		}
	})
}

func TestSomebodyElsesImageEndsTheFollowing(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		ended := f.follow("podinfo:2")
		f.flagger("Progressing", 10, "b", "a")
		f.setImage("podinfo", "podinfo:3")
		if e := <-ended; e.err != nil || e.result.Outcome != rollout.Superseded {
			t.Fatalf("%v, %v", e.result.Outcome, e.err)
		}
	})
}

func TestWithoutAControllerTheRunEndsWithinItsBound(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		start := time.Now()
		e := <-f.follow("podinfo:2")
		if !errors.Is(e.err, follow.ErrUnfinished) || !strings.Contains(e.err.Error(), "no Flagger controller seems to act") {
			t.Fatalf("%v", e.err)
		}
		if took := time.Since(start); took < 80*time.Second || took > 85*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestACancelledRunLeavesTheRolloutToFlagger(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		ended := f.follow("podinfo:2")
		f.flagger("Progressing", 10, "b", "a")
		close(f.stop)
		e := <-ended
		if !errors.Is(e.err, follow.ErrStopped) || !strings.Contains(e.err.Error(), "goes on under Flagger") {
			t.Fatalf("%v", e.err)
		}
		if got := f.image("podinfo"); got != "podinfo:2" {
			t.Errorf("the target runs %s", got)
		}
	})
}

func TestASuspendedCanaryIsNotTouched(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		o, err := f.api.Get(canaries, "shop", "podinfo")
		if err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedField(o.Object, true, "spec", "suspend"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.api.Update(o, "kubectl"); err != nil {
			t.Fatal(err)
		}
		if e := <-f.follow("podinfo:2"); e.err != nil || e.result.Outcome != rollout.Suspended {
			t.Fatalf("%v, %v", e.result.Outcome, e.err)
		}
		if got := f.image("podinfo"); got != "podinfo:1" {
			t.Errorf("the target runs %s", got)
		}
	})
}

func TestAnOutageIsOutlivedAndGivenUpAfterItsBound(t *testing.T) {
	tests := map[string]struct {
		outage time.Duration
		ends   bool
	}{"half a minute": {30 * time.Second, false}, "too long": {3 * time.Minute, true}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				f.installed()
				f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
					if r.Verb == "patch" {
						return rehearsal.FaultInternal("etcd is away")
					}
					return rehearsal.APIFault{}
				})
				ended := f.follow("podinfo:2")
				f.pass(test.outage)
				f.api.Intercept(nil)
				f.pass(10 * time.Second)
				if test.ends {
					if e := <-ended; !errors.Is(e.err, follow.ErrUnfinished) || !strings.Contains(e.err.Error(), "etcd is away") {
						t.Fatalf("%v", e.err)
					}
					return
				}
				f.setImage("podinfo-primary", "podinfo:2")
				f.flagger("Succeeded", 0, "b", "b")
				if e := <-ended; e.err != nil || e.result.Outcome != rollout.Promoted {
					t.Fatalf("%v, %v", e.result.Outcome, e.err)
				}
			})
		})
	}
}

func TestWithoutACanaryInTheClusterThereIsNothingToFollow(t *testing.T) {
	inCluster(t, func(f *fixture) {
		_, err := kube.FollowFlagger(f.ctx, f.client, f.canary)
		if !errors.Is(err, kube.ErrRefused) || !strings.Contains(err.Error(), `Canary "shop/podinfo" does not exist`) {
			t.Fatalf("%v", err)
		}
	})
}

func TestEveryMissingPermissionIsNamed(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.installed()
		flagger, err := kube.FollowFlagger(f.ctx, f.client, f.canary)
		if err != nil {
			t.Fatal(err)
		}
		f.api.Deny(func(r rehearsal.APIRequest) bool {
			return r.Verb == "patch" || r.Verb == "watch" && r.Resource.Resource == canaries.Resource
		})
		err = flagger.Preflight(f.ctx)
		for _, want := range []string{`patch deployments.apps "podinfo"`, `watch canaries.flagger.app "podinfo" in namespace "shop"`} {
			if !errors.Is(err, kube.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
	})
}
