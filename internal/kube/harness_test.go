package kube

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

var (
	deploymentGVR = appsv1.SchemeGroupVersion.WithResource("deployments")
	serviceGVR    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	routeGVR      = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
)

const canaryYAML = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: shop, uid: 7a1d}
spec:
  provider: gatewayapi:v1
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service: {port: 80, targetPort: 9898, gatewayRefs: [{name: public}]}
  analysis: {interval: 10s, threshold: 2, stepWeight: 10, maxWeight: 50}
`

const targetYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}, annotations: {note: one}}
    spec:
      nodeSelector: {disk: ssd}
      containers:
      - name: podinfod
        image: podinfo:1
        ports: [{name: http, containerPort: 9898}]
        resources: {limits: {cpu: 1, memory: 64Mi}}
`

// fixture is an embedded cluster with its controllers, seen through an unmodified client, in a bubble whose time passes
// only when everything waits.
type fixture struct {
	t       *testing.T
	ctx     context.Context
	api     *rehearsal.API
	control *rehearsal.Controllers
	config  *rest.Config
	client  *Client
	canary  *canary.Canary
	lost    atomic.Bool // the fence
	state   atomic.Int64
}

// inCluster runs a test in a cluster that has the target, and no CRDs of Flagger.
func inCluster(t *testing.T, test func(f *fixture)) {
	t.Helper()
	inClusterOf(t, rehearsal.DefaultKinds(), test)
}

// withFlagger is inCluster with the CRDs of Flagger.
func withFlagger(t *testing.T, test func(f *fixture)) {
	t.Helper()
	inClusterOf(t, slices.Concat(rehearsal.DefaultKinds(), rehearsal.FlaggerKinds()), test)
}

func inClusterOf(t *testing.T, kinds []rehearsal.Kind, test func(f *fixture)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fixture{t: t, ctx: ctx, api: rehearsal.NewAPI(clock.RealClock{}, kinds...), canary: new(canary.Canary)}
		server := f.api.ListenPipe(ctx)
		defer server.Wait()
		defer cancel()
		f.control = rehearsal.NewControllers(f.api, clock.RealClock{}, rehearsal.ControllerOptions{PodState: f.podState})
		ended := make(chan struct{})
		go func() { defer close(ended); f.control.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		f.parse(canaryYAML, f.canary)
		f.config = server.Config()
		f.client = f.connect(f.config)
		f.create(targetYAML)
		test(f)
	})
}

func (f *fixture) connect(config *rest.Config) *Client {
	f.t.Helper()
	c, err := New(config, "shop")
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) parse(text string, into any) {
	f.t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		f.t.Fatal(err)
	}
}

// object reads one object, with numbers as the API has them.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

func (f *fixture) create(text string) *unstructured.Unstructured {
	f.t.Helper()
	o, err := f.api.Create(object(f.t, text), "kubectl")
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func (f *fixture) get(gvr schema.GroupVersionResource, name string) *unstructured.Unstructured {
	f.t.Helper()
	o, err := f.api.Get(gvr, "shop", name)
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

// edit changes an object as somebody else.
func (f *fixture) edit(gvr schema.GroupVersionResource, name string, change func(o map[string]any)) {
	f.t.Helper()
	o := f.get(gvr, name)
	change(o.Object)
	if _, err := f.api.Update(o, "kubectl"); err != nil {
		f.t.Error(err)
	}
}

func (f *fixture) deployment(name string) *appsv1.Deployment {
	f.t.Helper()
	d, err := workload.Read[appsv1.Deployment](f.get(deploymentGVR, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

func (f *fixture) fence() (int64, bool) { return 3, !f.lost.Load() }

// world opens the watches; they end with the test.
func (f *fixture) world() *World {
	f.t.Helper()
	w := f.closedWorld()
	if err := w.Start(f.ctx, 20*time.Second); err != nil {
		f.t.Fatal(err)
	}
	return w
}

func (f *fixture) closedWorld() *World {
	f.t.Helper()
	router, err := traffic.For(f.canary.Spec.Provider)
	if err != nil {
		f.t.Fatal(err)
	}
	w, err := NewWorld(f.client, f.canary, router, f.fence)
	if err != nil {
		f.t.Fatal(err)
	}
	return w
}

func (f *fixture) observe(w *World) rollout.Observation {
	f.t.Helper()
	synctest.Wait()
	o, err := w.Observe(time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func (f *fixture) apply(w *World, want rollout.World) {
	f.t.Helper()
	want.Touch = true
	if err := w.Apply(f.ctx, want); err != nil {
		f.t.Fatal(err)
	}
}

// initialise makes the primary of what the target runs and gives it the traffic.
func (f *fixture) initialise(w *World) (revision string) {
	f.t.Helper()
	revision = f.observe(w).Target.Revision
	f.apply(w, rollout.World{Primary: revision})
	pass(time.Second)
	f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
	pass(time.Second)
	if o := f.observe(w); !o.Primary.Ready || !o.Route.Settled || !o.Route.Managed || o.Primary.Revision != revision {
		f.t.Fatalf("after the initialisation: primary %+v, route %+v", o.Primary, o.Route)
	}
	return revision
}

// sent returns the requests that were made since before, without those of an open watch.
func (f *fixture) sent(before map[string]int) map[string]int {
	f.t.Helper()
	synctest.Wait()
	made := map[string]int{}
	for key, n := range f.api.Requests() {
		if n > before[key] {
			made[key] = n - before[key]
		}
	}
	return made
}

func (f *fixture) requests() map[string]int {
	synctest.Wait()
	return maps.Clone(f.api.Requests())
}

// pass lets time pass, and everything that happens in it settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
