package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// GatewayController is the name under which the simulated gateway controller reports.
const GatewayController = "e2e.penstock.dev/gateway"

// Manners say how the gateway controller treats the routes of a namespace.
type Manners int

// The controller accepts, unless told otherwise.
const (
	Accept   Manners = iota // reports Accepted, and ResolvedRefs when all backends exist
	Withhold                // reports nothing: the generation that it last saw stays
	Reject                  // reports Accepted=False, NotAllowedByListeners
)

func gatewayResource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: name}
}

// HTTPRoutes is the resource for Create and Get.
func HTTPRoutes() schema.GroupVersionResource { return gatewayResource("httproutes") }

// Services is the resource for Create and Get.
func Services() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "services"}
}

// A Gateway is a gateway controller without a gateway: it watches HTTPRoutes and writes their status.
type Gateway struct {
	client   dynamic.Interface
	routes   cache.SharedIndexInformer
	services cache.SharedIndexInformer
	queue    workqueue.TypedRateLimitingInterface[cache.ObjectName]
	running  sync.WaitGroup

	mu      sync.Mutex
	manners map[string]Manners
}

// startGateway runs the controller until ctx ends.
func startGateway(ctx context.Context, client dynamic.Interface) (*Gateway, error) {
	informers := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	g := &Gateway{
		client: client, manners: map[string]Manners{},
		routes:   informers.ForResource(HTTPRoutes()).Informer(),
		services: informers.ForResource(Services()).Informer(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](5*time.Millisecond, time.Second)),
	}
	route := cache.ResourceEventHandlerFuncs{
		AddFunc:    g.enqueue,
		UpdateFunc: func(_, now any) { g.enqueue(now) },
	}
	service := cache.ResourceEventHandlerFuncs{AddFunc: g.enqueueNeighbours, DeleteFunc: g.enqueueNeighbours}
	if _, err := g.routes.AddEventHandler(route); err != nil {
		return nil, fmt.Errorf("watch HTTPRoutes: %w", err)
	}
	if _, err := g.services.AddEventHandler(service); err != nil {
		return nil, fmt.Errorf("watch Services: %w", err)
	}
	for _, informer := range []cache.SharedIndexInformer{g.routes, g.services} {
		g.running.Go(func() { informer.RunWithContext(ctx) })
	}
	g.running.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), g.routes.HasSynced, g.services.HasSynced) {
			g.work(ctx)
		}
	})
	context.AfterFunc(ctx, g.queue.ShutDown)
	return g, nil
}

// Set changes how the controller treats the routes of a namespace, those that exist included.
func (g *Gateway) Set(namespace string, manners Manners) {
	g.mu.Lock()
	g.manners[namespace] = manners
	g.mu.Unlock()
	g.enqueueAll(namespace)
}

func (g *Gateway) wait() { g.running.Wait() }

func (g *Gateway) enqueue(object any) {
	if name, err := cache.ObjectToName(object); err == nil {
		g.queue.Add(name)
	}
}

// enqueueNeighbours looks again at the routes beside a Service that came or went.
func (g *Gateway) enqueueNeighbours(object any) {
	if name, err := cache.DeletionHandlingObjectToName(object); err == nil {
		g.enqueueAll(name.Namespace)
	}
}

func (g *Gateway) enqueueAll(namespace string) {
	for _, route := range g.routes.GetStore().List() {
		if name, err := cache.ObjectToName(route); err == nil && name.Namespace == namespace {
			g.queue.Add(name)
		}
	}
}

func (g *Gateway) work(ctx context.Context) {
	for {
		name, shutdown := g.queue.Get()
		if shutdown {
			return
		}
		if err := g.report(ctx, name); err != nil {
			g.queue.AddRateLimited(name) // a conflict with the route's owner, or an API server on its way out
		} else {
			g.queue.Forget(name)
		}
		g.queue.Done(name)
	}
}

// report writes the route's status when it does not say yet what it should.
func (g *Gateway) report(ctx context.Context, name cache.ObjectName) error {
	g.mu.Lock()
	manners := g.manners[name.Namespace]
	g.mu.Unlock()
	found, exists, err := g.routes.GetStore().GetByKey(name.String())
	if err != nil || !exists || manners == Withhold {
		return err
	}
	route := found.(*unstructured.Unstructured).DeepCopy()
	verdict := g.judge(route, manners)
	if verdict.standsIn(route) {
		return nil
	}
	if err := unstructured.SetNestedSlice(route.Object, verdict.parents(route), "status", "parents"); err != nil {
		return err
	}
	_, err = g.client.Resource(HTTPRoutes()).Namespace(name.Namespace).UpdateStatus(ctx, route, metav1.UpdateOptions{})
	return err
}

// judge says what the status of a route should be.
func (g *Gateway) judge(route *unstructured.Unstructured, manners Manners) routeVerdict {
	v := routeVerdict{
		accepted: condition{"Accepted", "True", "Accepted", "the route is accepted"},
		resolved: condition{"ResolvedRefs", "True", "ResolvedRefs", "all references are resolved"},
	}
	if manners == Reject {
		v.accepted = condition{"Accepted", "False", "NotAllowedByListeners", "no listener of the gateway allows this route"}
	}
	for _, name := range backends(route) {
		if _, exists, _ := g.services.GetStore().GetByKey(route.GetNamespace() + "/" + name); !exists {
			v.resolved = condition{"ResolvedRefs", "False", "BackendNotFound", fmt.Sprintf("service %q not found", name)}
		}
	}
	return v
}
