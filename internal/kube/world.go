package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

// World is the part of a cluster that one canary is about: it is observed through watches and changed by apply.
type World struct {
	client *Client
	canary *canary.Canary
	router traffic.Router
	refs   workload.Refs
	routes []canary.Ref
	store  *store
	fence  func() (epoch int64, held bool)

	wait     sync.WaitGroup
	pods     sync.Once
	openPods func(podSelector) // set by Start
}

// NewWorld prepares the world of a canary. The fence says under which epoch this run may write, and whether it still may.
func NewWorld(c *Client, cn *canary.Canary, r traffic.Router, fence func() (int64, bool)) (*World, error) {
	refs, err := workload.RefsFor(cn)
	if err != nil {
		return nil, err
	}
	return &World{client: c, canary: cn, router: r, refs: refs, routes: r.Refs(cn), store: newStore(), fence: fence}, nil
}

// watched lists every object that the rollout looks at, each once.
func (w *World) watched() []canary.Ref {
	all := []canary.Ref{w.refs.Target, w.refs.Primary, w.refs.Apex, w.refs.PrimaryService, w.refs.CanaryService}
	for _, ref := range w.routes {
		if !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	return all
}

// Start opens the watches and waits until each has answered once, at most for the limit. The watches end with ctx; Stop
// waits for them.
func (w *World) Start(ctx context.Context, limit time.Duration) error {
	refs := w.watched()
	w.openPods = func(pods podSelector) { w.wait.Go(func() { w.client.watchPods(ctx, w.store, pods) }) }
	for _, ref := range refs {
		w.wait.Go(func() { w.client.watchObject(ctx, w.store, ref) })
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		missing := w.store.missing(refs)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-w.store.changed:
		case <-bounded.Done():
			return w.notSynced(missing, limit)
		}
		for ref, err := range w.store.missing(refs) {
			if err != nil && (permanent(err) || apierrors.IsNotFound(err)) {
				return fmt.Errorf("%w: at %s: watch %s: %w", ErrRefused, w.client.Host, ref, served(err))
			}
		}
	}
}

func (w *World) notSynced(missing map[canary.Ref]error, limit time.Duration) error {
	var reasons []string
	for ref, err := range missing {
		if err == nil {
			err = errors.New("no answer")
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", ref, err))
	}
	slices.Sort(reasons)
	return fmt.Errorf("the cluster at %s did not answer within %s: %s", w.client.Host, limit, strings.Join(reasons, "; "))
}

// Stop waits until the watches, whose context must have ended, are closed.
func (w *World) Stop() { w.wait.Wait() }

// Changed delivers when something that Observe looks at has changed since it was last read from.
func (w *World) Changed() <-chan struct{} { return w.store.changed }

// Observe reads the caches of the watches: it costs no request.
func (w *World) Observe(now time.Time) (rollout.Observation, error) {
	live, podObjects := w.store.snapshot()
	absent := workload.Report(nil, nil, workload.Ready{Now: now})
	o := rollout.Observation{Now: now, Target: absent, Primary: absent}
	target, err := workload.Read[appsv1.Deployment](live[w.refs.Target])
	if err != nil {
		return o, fmt.Errorf("read %s: %w", w.refs.Target, err)
	}
	primary, err := workload.Read[appsv1.Deployment](live[w.refs.Primary])
	if err != nil {
		return o, fmt.Errorf("read %s: %w", w.refs.Primary, err)
	}
	pods := make([]*corev1.Pod, 0, len(podObjects))
	for _, object := range podObjects {
		pod, err := workload.Read[corev1.Pod](object)
		if err != nil {
			return o, fmt.Errorf("read pod %q: %w", object.GetName(), err)
		}
		pods = append(pods, pod)
	}
	if target != nil {
		w.startPods(target)
		o.Target = workload.Report(target, pods, workload.Ready{
			Revision: workload.Revision(target.Spec.Template), Threshold: w.canary.Spec.Analysis.CanaryReady(), Now: now, Deadline: w.canary.ProgressDeadline(),
		})
	}
	if primary != nil {
		o.Primary = workload.Report(primary, pods, workload.Ready{
			Revision: workload.PrimaryRevision(primary), Threshold: w.canary.Spec.Analysis.PrimaryReady(), Now: now, Deadline: w.canary.ProgressDeadline(),
		})
	}
	o.Route = w.router.Read(w.canary, live)
	return o, nil
}

// startPods opens the watch of the pods of target and primary, as soon as the label that they share is known.
func (w *World) startPods(target *appsv1.Deployment) {
	w.pods.Do(func() {
		key, value, err := workload.Label(target)
		if err != nil {
			return // said by Apply, which cannot go on without it
		}
		either, err := labels.NewRequirement(key, selection.In, []string{value, value + "-primary"})
		if err != nil {
			return
		}
		w.openPods(podSelector{
			gvr: workload.PodGVR, namespace: w.refs.Target.Namespace, labels: labels.NewSelector().Add(*either).String(),
		})
	})
}
