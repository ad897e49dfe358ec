package rehearsal

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/workload"
)

// drainTime is how long an app goes on after its pod has gone, in real time.
const drainTime = 200 * time.Millisecond

// weightGauge is the canary's present weight in percent.
type weightGauge struct{ atomic.Int64 }

// runningApp is the app of one pod.
type runningApp struct {
	*App
	version Version // the workload that the pod belongs to
	image   string
}

// follow keeps the apps, the proxy and the faults in line with what the API says, until ctx ends.
func (c *Cluster) follow(ctx context.Context) {
	for {
		changed := c.api.Changed()
		c.reroute(ctx)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// reroute reads the router's objects and sends the users where they say.
func (c *Cluster) reroute(ctx context.Context) {
	live := canary.Objects{}
	for _, ref := range append(c.options.Router.Refs(c.options.Canary), c.refs.Target, c.refs.Primary) {
		if object, err := c.api.Get(ref.GroupVersionResource, ref.Namespace, ref.Name); err == nil {
			live[ref] = object
		}
	}
	reported := c.options.Router.Read(c.options.Canary, live)
	routing := Routing{Split: Split{Canary: int(reported.Canary), Mirror: int(reported.Mirror)}}
	if obey := routers[c.options.Canary.Spec.Provider].obey; obey != nil {
		obey(&routing, routed{
			canary: c.options.Canary, objects: live,
			services: [2]string{Primary: c.refs.PrimaryService.Name, Canary: c.refs.CanaryService.Name},
		})
	}
	weight := routing.Split.Canary
	if weight != int(c.weight.Swap(int64(weight))) {
		c.control.Reconcile() // a crash may begin at this weight
	}
	drill := c.injector.At(weight)
	c.revisions = revisionsOf(live[c.refs.Target])
	ready := c.readyPods()
	gone := c.retire(ready)
	routing.Primary.Endpoints, routing.Canary.Endpoints = c.endpoints(ctx, ready)
	routing.Primary.NoTraffic, routing.Canary.NoTraffic = drill.Primary.NoTraffic, drill.Canary.NoTraffic
	for _, app := range c.apps {
		app.Behave(c.behaviour(drill, app.image))
	}
	c.metrics.Down(drill.MetricsDown)
	c.proxy.Route(routing)
	for _, app := range gone {
		c.running.Go(func() { app.drain(ctx) })
	}
	if reported.Known && reported.Managed && len(routing.Primary.Endpoints) > 0 {
		c.start.Do(func() {
			c.running.Go(func() { c.generator.Run(ctx) })
			c.running.Go(func() { c.direct.Run(ctx) })
		})
	}
}

// readyPods are the pods of the canary's namespace that get requests, by name.
func (c *Cluster) readyPods() map[string]*corev1.Pod {
	ready := map[string]*corev1.Pod{}
	for _, object := range c.api.List(workload.PodGVR, c.options.Canary.Namespace, nil) {
		if pod, err := workload.Read[corev1.Pod](object); err == nil && podReady(pod) {
			ready[pod.Name] = pod
		}
	}
	return ready
}

// retire takes the apps of pods that are gone, or not ready any more, out of service, and returns them: the proxy still
// sends requests there until it is told otherwise.
func (c *Cluster) retire(ready map[string]*corev1.Pod) []*runningApp {
	var gone []*runningApp
	for name, app := range c.apps {
		if ready[name] == nil {
			c.metrics.Retire(map[string]string{"pod": name}) // its series end, as when a scrape target goes away
			delete(c.apps, name)
			gone = append(gone, app)
		}
	}
	return gone
}

// drain ends an app that gets no new requests, as a pod does that is deleted: what is on its way may still arrive.
func (a *runningApp) drain(ctx context.Context) {
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = a.Shutdown(ctx)
}

// endpoints starts an app for every pod that is ready and has none, and returns where they listen.
func (c *Cluster) endpoints(ctx context.Context, ready map[string]*corev1.Pod) (primary, canary []Endpoint) {
	for name, pod := range ready {
		app := c.apps[name]
		if app == nil {
			if app = c.startApp(ctx, pod); app == nil {
				continue
			}
			c.apps[name] = app
		}
		endpoint := app.Endpoint()
		if c.plays(app, endpoint, Canary) {
			canary = append(canary, endpoint)
		}
		if c.plays(app, endpoint, Primary) {
			primary = append(primary, endpoint)
		}
	}
	byPod := func(a, b Endpoint) int { return strings.Compare(a.Pod, b.Pod) }
	slices.SortFunc(primary, byPod)
	slices.SortFunc(canary, byPod)
	return primary, canary
}

// plays reports whether an app serves the requests of a version. A Revision of Knative may serve those of both.
func (c *Cluster) plays(app *runningApp, at Endpoint, v Version) bool {
	if c.refs.Shared() {
		return at.Workload == c.revisions[v]
	}
	return app.version == v
}

func podReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// startApp starts the app of a pod. Pods of other workloads have none.
func (c *Cluster) startApp(ctx context.Context, pod *corev1.Pod) *runningApp {
	instance := Instance{Pod: pod.Name, Revision: podTemplateHash(pod)}
	running := &runningApp{version: Canary, image: imageOf(&pod.Spec, c.options.Container)}
	_, instance.Version, _ = strings.Cut(running.image, ":")
	instance.Workload = c.refs.Target.Name
	revision := pod.Labels[knativeRevisionLabel]
	switch {
	case c.refs.Shared() && revision == "":
		return nil
	case c.refs.Shared():
		instance.Workload = revision
	case strings.HasPrefix(pod.Name, c.refs.Primary.Name+"-"):
		running.version, instance.Workload = Primary, c.refs.Primary.Name
	case !strings.HasPrefix(pod.Name, c.refs.Target.Name+"-"):
		return nil
	}
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(instance.Workload)) // the names of pods are random; what fails must not be
	app, err := StartApp(ctx, instance, c.options.Seed+seed.Sum64())
	if err != nil {
		return nil // no free port: the pod has no endpoint, and the analysis sees it
	}
	running.App = app
	return running
}

// podTemplateHash is what the controllers tell the pods of one template from those of another by.
func podTemplateHash(pod *corev1.Pod) string {
	return cmp.Or(pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey], pod.Labels[appsv1.ControllerRevisionHashLabelKey])
}

// podState lets the pods of a version crash when a fault says so.
func (c *Cluster) podState(_ types.NamespacedName, template *corev1.PodTemplateSpec) PodOutcome {
	drill := c.injector.At(int(c.weight.Load()))
	if c.behaviour(drill, imageOf(&template.Spec, c.options.Container)).Crash {
		return PodCrashLoopBackOff
	}
	return PodReady
}

// behaviour is what is wrong with an image. The faults of the canary are the new version's: where that is promoted, they
// go on in the primary, and a missed one hits every user.
func (c *Cluster) behaviour(drill Drill, image string) Behaviour {
	if image == c.options.NewImage {
		return drill.Canary
	}
	return drill.Primary
}

func imageOf(spec *corev1.PodSpec, container string) string {
	for i := range spec.Containers {
		if spec.Containers[i].Name == container {
			return spec.Containers[i].Image
		}
	}
	return ""
}

// served is what all requests have in common for the metrics.
func (c *Cluster) served() metric.Served {
	cn := c.options.Canary
	served := metric.Served{
		Namespace: cn.Namespace, Target: c.refs.Target.Name, Service: cn.ServiceName(), Port: cn.Spec.Service.Port,
		Route: cn.ServiceName(), Path: "/",
	}
	if len(cn.Spec.Service.Hosts) > 0 {
		served.Host = cn.Spec.Service.Hosts[0]
	}
	if cn.Spec.RouteRef != nil {
		served.Route = cn.Spec.RouteRef.Name
	}
	if cn.Spec.IngressRef != nil {
		served.Ingress = cn.Spec.IngressRef.Name
	}
	return served
}
