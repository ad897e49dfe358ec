package rehearsal

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// controllerManager is the field manager of what the simulated controllers write, as in a real cluster.
const controllerManager = "kube-controller-manager"

// Defaults of ControllerOptions, in the time of the controllers' clock.
const (
	defaultReadyAfter = 200 * time.Millisecond
	defaultRouteAfter = 50 * time.Millisecond
)

// PodOutcome is what becomes of a pod.
type PodOutcome int

// The outcomes of a pod. The zero value is the usual one.
const (
	// PodReady runs and passes its readiness probe.
	PodReady PodOutcome = iota
	// PodUnschedulable stays pending, as no node has room for it.
	PodUnschedulable
	// PodImagePullBackOff waits for an image that cannot be pulled.
	PodImagePullBackOff
	// PodCrashLoopBackOff starts, exits with code 1, and is started again.
	PodCrashLoopBackOff
	// PodNotReady runs, and fails its readiness probe.
	PodNotReady
)

// ControllerOptions say how the simulated controllers behave. The zero value is a healthy cluster.
type ControllerOptions struct {
	// ReadyAfter is how long a pod takes to become ready. Zero means 0.2 s.
	ReadyAfter time.Duration
	// RouteAfter is how long a gateway takes to accept a changed HTTPRoute. Zero means 50 ms.
	RouteAfter time.Duration
	// PodState says what becomes of the pods of a template. It is asked again at every change in the cluster and at
	// every Reconcile, always from the goroutine of Run. Nil means that every pod becomes ready.
	PodState func(workload types.NamespacedName, template *corev1.PodTemplateSpec) PodOutcome
	// NodeLabels are what the nodes of the cluster have beside the labels that every node has.
	NodeLabels map[string]string
	// RouteRefused says that the gateway does not accept a route, and why. Nil, and an empty reason, accept.
	RouteRefused func(route types.NamespacedName) (reason string)
}

// Controllers simulate what runs beside the API in a real cluster: the Deployment, ReplicaSet and
// DaemonSet controllers, the kubelets, and a Gateway API implementation. They act on changes of the store and on their clock, and never poll.
type Controllers struct {
	api     *API
	clock   clock.Clock
	options ControllerOptions
	kick    chan struct{}

	// All below belongs to the goroutine of Run.
	pods     map[types.UID]*podMemory
	progress map[types.UID]*progressMemory
	routes   map[types.UID]routeMemory
	custom   map[types.UID]routeMemory
	knative  map[types.UID]routeMemory
	lastIP   int
	// wake is the next time at which something is due; zero is never.
	wake time.Time
}

// NewControllers returns controllers of the api, which do nothing before Run.
func NewControllers(api *API, clock clock.Clock, options ControllerOptions) *Controllers {
	if options.ReadyAfter == 0 {
		options.ReadyAfter = defaultReadyAfter
	}
	if options.RouteAfter == 0 {
		options.RouteAfter = defaultRouteAfter
	}
	return &Controllers{
		api:      api,
		clock:    clock,
		options:  options,
		kick:     make(chan struct{}, 1),
		pods:     map[types.UID]*podMemory{},
		progress: map[types.UID]*progressMemory{},
		routes:   map[types.UID]routeMemory{},
		custom:   map[types.UID]routeMemory{},
		knative:  map[types.UID]routeMemory{},
	}
}

// Reconcile makes the controllers look at everything again, because a PodState or a RouteRefused answers otherwise now.
// It does not wait for them.
func (c *Controllers) Reconcile() {
	select {
	case c.kick <- struct{}{}:
	default: // they will look anyway
	}
}

// Run acts until ctx ends. Call it once.
func (c *Controllers) Run(ctx context.Context) {
	var seen int64
	for {
		version := c.api.current()
		c.wake = time.Time{}
		c.syncKnative()
		c.syncDeployments()
		c.syncDaemonSets()
		c.forgetPods()
		c.syncAutoscalers()
		c.syncRoutes()
		c.syncCustom()
		seen = version
		if !c.wait(ctx, seen) {
			return
		}
	}
}

// wait returns when there is something to do: a relevant change after the version, a time that has come, or a kick. It
// is false at the end of ctx.
func (c *Controllers) wait(ctx context.Context, version int64) bool {
	var due <-chan time.Time
	if !c.wake.IsZero() {
		timer := c.clock.NewTimer(max(c.wake.Sub(c.clock.Now()), 0))
		defer timer.Stop()
		due = timer.C()
	}
	for {
		events, changed, err := c.api.since(version)
		if err != nil || c.concern(events) {
			return ctx.Err() == nil
		}
		version += int64(len(events))
		select {
		case <-ctx.Done():
			return false
		case <-due:
			return true
		case <-c.kick:
			return true
		case <-changed:
		}
	}
}

// concern says whether any of the events is about what the controllers look after.
func (c *Controllers) concern(events []apiEvent) bool {
	for _, event := range events {
		switch event.key.gvr {
		case deploymentsResource(), replicaSetsResource(), daemonSetsResource(), podsResource(), routesResource(), routesV1beta1(), grpcRoutes(),
			podAutoscalersResource(), scaledObjectsResource(), knativeServicesResource(), knativeRevisionsResource():
			return true
		}
		if slices.ContainsFunc(c.api.reported(), func(k Kind) bool { return k.GVR() == event.key.gvr }) {
			return true
		}
	}
	return false
}

// at asks to be woken at a time.
func (c *Controllers) at(when time.Time) {
	if c.wake.IsZero() || when.Before(c.wake) {
		c.wake = when
	}
}

// current is the version of the last write.
func (a *API) current() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.version
}

func deploymentsResource() schema.GroupVersionResource {
	return appsv1.SchemeGroupVersion.WithResource("deployments")
}

func replicaSetsResource() schema.GroupVersionResource {
	return appsv1.SchemeGroupVersion.WithResource("replicasets")
}

func daemonSetsResource() schema.GroupVersionResource {
	return appsv1.SchemeGroupVersion.WithResource("daemonsets")
}

func podsResource() schema.GroupVersionResource {
	return corev1.SchemeGroupVersion.WithResource("pods")
}

func routesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gatewayGroup, Version: "v1", Resource: "httproutes"}
}

func grpcRoutes() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gatewayGroup, Version: "v1", Resource: "grpcroutes"}
}

func routesV1beta1() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gatewayGroup, Version: "v1beta1", Resource: "httproutes"}
}
