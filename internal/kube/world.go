package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
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
	scaled workload.Scalers
	store  *store
	fence  func() (epoch int64, held bool)

	wait      sync.WaitGroup
	parts     sync.Once
	openParts func(partSelector) // set by Start
	configs   configs

	guarded *View       // the Canary object whose deletion is watched; nil without one
	deleted atomic.Bool // it is being deleted, or gone
}

// NewWorld prepares the world of a canary. The fence says under which epoch this run may write, and whether it still may.
func NewWorld(c *Client, cn *canary.Canary, r traffic.Router, fence func() (int64, bool)) (*World, error) {
	subject, err := manifest.SubjectOf(cn, r)
	if err != nil {
		return nil, err
	}
	return &World{
		client: c, canary: cn, router: r, refs: subject.Refs, routes: r.Refs(cn), scaled: subject.Scalers, store: newStore(), fence: fence,
	}, nil
}

// subject is the canary with every object that the rollout looks at.
func (w *World) subject() manifest.Subject {
	return manifest.Subject{Canary: w.canary, Router: w.router, Refs: w.refs, Scalers: w.scaled}
}

// watched lists every object that the rollout looks at, each once.
func (w *World) watched() []canary.Ref {
	subject := w.subject()
	return subject.Watched()
}

// Start opens the watches and waits until each has answered once, at most for the limit. The watches end with ctx; Stop
// waits for them.
func (w *World) Start(ctx context.Context, limit time.Duration) error {
	refs := w.watched()
	w.openParts = func(parts partSelector) { w.wait.Go(func() { w.client.watchParts(ctx, w.store, parts) }) }
	open := func(ref canary.Ref) { w.wait.Go(func() { w.client.watchObject(ctx, w.store, ref) }) }
	w.configs.open = open
	if w.guarded != nil {
		w.wait.Go(func() { w.watchDeletion(ctx) }) // it may be forbidden, and is not waited for
	}
	for _, ref := range refs {
		open(ref)
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := w.synced(bounded, limit, func() []canary.Ref { return refs }); err != nil {
		return err
	}
	return w.startConfigs(bounded, limit)
}

// synced waits until every watch has answered once.
func (w *World) synced(ctx context.Context, limit time.Duration, refs func() []canary.Ref) error {
	for {
		missing := w.store.missing(refs())
		if len(missing) == 0 {
			return nil
		}
		for ref, err := range missing {
			if err != nil && (permanent(err) || apierrors.IsNotFound(err)) {
				return fmt.Errorf("%w: at %s: watch %s: %w", ErrRefused, w.client.Host, ref, served(err))
			}
		}
		select {
		case <-w.store.changed:
		case <-ctx.Done():
			return w.notSynced(missing, limit)
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
	live, parts := w.store.snapshot()
	absent := workload.Report(nil, nil, workload.Ready{Now: now})
	o := rollout.Observation{Now: now, Target: absent, Primary: absent, Deleted: w.deleted.Load()}
	target, primary, err := w.workloads(live)
	if err != nil {
		return o, err
	}
	if target != nil {
		w.startParts(target)
		o.Target = workload.Report(target, parts, workload.Ready{
			Revision: workload.TargetRevision(target), Threshold: w.canary.Spec.Analysis.CanaryReady(), Now: now, Deadline: w.canary.ProgressDeadline(),
		})
	}
	if primary != nil {
		o.Primary = workload.Report(primary, parts, workload.Ready{
			Revision: workload.PrimaryRevision(primary), Threshold: w.canary.Spec.Analysis.PrimaryReady(), Now: now, Deadline: w.canary.ProgressDeadline(),
		})
	}
	w.observeConfigs(target, primary, &o)
	w.observeScalers(&o, scalerView{live, parts, target, primary})
	o.Route = w.router.Read(w.canary, live)
	return o, nil
}

// readWorkloads reads the target and the primary; one that does not exist is nil.
func (w *World) readWorkloads(live canary.Objects) (target, primary *workload.Workload, err error) {
	if target, primary, err = workload.ReadBoth(&w.refs, live); err != nil {
		return nil, nil, err
	}
	if target != nil {
		target.Floor = workload.ScalerMin(live[w.scaled.Target])
	}
	return target, primary, nil
}

// Revision is the name of the Revision that the target asks for, or empty where it has none of its own.
func (w *World) Revision() string {
	if !w.refs.Shared() {
		return ""
	}
	live, _ := w.store.snapshot()
	target, _, err := workload.ReadBoth(&w.refs, live)
	if err != nil || target == nil {
		return "" // said by Observe
	}
	return workload.TargetRevision(target)
}

// startParts opens the watch of what target and primary are made of, as soon as it is known how to select it.
func (w *World) startParts(target *workload.Workload) {
	w.parts.Do(func() {
		labels, err := workload.SelectParts(&w.refs, target)
		if err != nil {
			return // said by Apply, which cannot go on without it
		}
		w.openParts(partSelector{gvr: w.refs.Parts, namespace: w.refs.Target.Namespace, labels: labels})
	})
}
