package kube

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// configs follows the ConfigMaps and Secrets that the target and its primary refer to. Each is watched by its name, as
// soon as a pod template has it: a run needs no permission for any other.
type configs struct {
	open func(canary.Ref) // set by Start

	uninstall bool // set before Start: what was made for the canary is deleted

	mu      sync.Mutex
	opened  map[canary.Ref]bool
	denied  map[canary.Ref]error // what only the primary refers to, and this run may not read and does without
	settled canary.Objects       // target and primary as they were when all that they refer to was last known
	sums    map[string]string    // for TrackedConfigs
}

// workloads reads the target and the primary with their configuration; one that does not exist is nil. While the answer
// about something that a new template refers to is awaited, both are what they were before, in live too: without it,
// nothing can be said of their revisions.
func (w *World) workloads(live canary.Objects) (target, primary *workload.Workload, err error) {
	if target, primary, err = w.readWorkloads(live); err != nil {
		return nil, nil, err
	}
	w.configs.mu.Lock()
	defer w.configs.mu.Unlock()
	pending, refused := w.follow(workload.ConfigObjects(w.canary, target, primary, live))
	if pending {
		for _, ref := range []canary.Ref{w.refs.Target, w.refs.Primary} {
			if live[ref] = w.configs.settled[ref]; live[ref] == nil {
				delete(live, ref)
			}
		}
		if target, primary, err = w.readWorkloads(live); err != nil {
			return nil, nil, err
		}
	}
	w.configs.settled = canary.Objects{w.refs.Target: live[w.refs.Target], w.refs.Primary: live[w.refs.Primary]}
	workload.Track(w.canary, target, primary, workload.ConfigView{Live: live, Refused: refused})
	if w.configs.sums = nil; target != nil {
		w.configs.sums = workload.TrackedConfigs(target)
	}
	return target, primary, nil
}

// follow opens the watches that are missing, under the lock, and reports whether an answer is, and what this run may not read.
func (w *World) follow(refs []canary.Ref) (pending bool, refused map[canary.Ref]error) {
	if w.configs.open == nil {
		return false, nil // not started: nothing is known of anything
	}
	refs, denied := w.readable(refs)
	for _, ref := range refs {
		if !w.configs.opened[ref] {
			if w.configs.opened == nil {
				w.configs.opened = map[canary.Ref]bool{}
			}
			w.configs.opened[ref] = true
			w.configs.open(ref)
		}
	}
	refused = w.store.missing(refs)
	maps.DeleteFunc(refused, func(_ canary.Ref, err error) bool {
		wait := err == nil || !permanent(err)
		pending = pending || wait
		return wait
	})
	maps.Copy(denied, refused)
	return pending, denied
}

// readable divides what is referred to, under the lock: what is watched, and what this run may not read and does without.
func (w *World) readable(refs []canary.Ref) (watched []canary.Ref, denied map[canary.Ref]error) {
	denied = map[canary.Ref]error{}
	for _, ref := range refs {
		if err := w.configs.denied[ref]; err != nil {
			denied[ref] = err
			continue
		}
		watched = append(watched, ref)
	}
	return watched, denied
}

// startConfigs asks for the permissions that the configuration takes, and waits until all of it is known.
func (w *World) startConfigs(ctx context.Context, limit time.Duration) error {
	refs := w.configObjects()
	if len(refs) == 0 {
		return nil
	}
	if err := w.require(ctx, w.configPermissions()); err != nil {
		return err
	}
	if err := w.formerConfigs(ctx); err != nil {
		return err
	}
	return w.synced(ctx, limit, func() []canary.Ref { // what there is may lead to more
		refs := w.configObjects()
		w.configs.mu.Lock()
		defer w.configs.mu.Unlock()
		w.follow(refs)
		refs, _ = w.readable(refs)
		return refs
	})
}

// formerConfigs asks for what only the primary refers to, and notes what this run may not read of it.
func (w *World) formerConfigs(ctx context.Context) error {
	live, _ := w.store.snapshot()
	target, primary, err := w.readWorkloads(live)
	if err != nil {
		return nil //nolint:nilerr // said by Observe
	}
	subject := w.subject()
	former := subject.Former(target, primary, w.configs.uninstall)
	if w.configs.uninstall || len(former) == 0 {
		return w.require(ctx, manifest.Permissions(former))
	}
	answers, err := w.client.Granted(ctx, former)
	if err != nil {
		return err
	}
	w.configs.mu.Lock()
	defer w.configs.mu.Unlock()
	for i := range answers {
		if answers[i].Allowed {
			continue
		}
		if w.configs.denied == nil {
			w.configs.denied = map[canary.Ref]error{}
		}
		for _, ref := range workload.FormerConfigs(w.canary, target, primary) {
			if ref.Name == answers[i].Name && ref.Resource == answers[i].Resource {
				w.configs.denied[ref] = fmt.Errorf("no permission to %s%s", answers[i].Permission, answers[i].Why)
			}
		}
	}
	return nil
}

func (w *World) configObjects() []canary.Ref {
	live, _ := w.store.snapshot()
	target, primary, err := w.readWorkloads(live)
	if err != nil {
		return nil // said by Observe
	}
	return workload.ConfigObjects(w.canary, target, primary, live)
}

// configPermissions are those that the configuration takes: none when the target refers to nothing.
func (w *World) configPermissions() []Permission {
	live, _ := w.store.snapshot()
	target, primary, err := w.readWorkloads(live)
	if err != nil || target == nil {
		return nil
	}
	subject := w.subject()
	return manifest.Permissions(subject.Configs(target, primary, live))
}

// TrackedConfigs returns the hash of each ConfigMap and Secret of the target as it was last observed, as Flagger shows
// them in status.trackedConfigs of a Canary.
func (w *World) TrackedConfigs() map[string]string {
	w.configs.mu.Lock()
	defer w.configs.mu.Unlock()
	return w.configs.sums
}

// observeConfigs adds to an observation what the configuration says. A canary is not ready before its pods have its
// present configuration: until then, an analysis would judge what nobody is going to run. That matters only when there
// is a primary to compare with.
func (w *World) observeConfigs(target, primary *workload.Workload, o *rollout.Observation) {
	if target == nil {
		return
	}
	if o.Primary.Exists && o.Target.Revision != o.Primary.Revision {
		o.Target.Changed = workload.Changes(target, primary)
	}
	problem, final := workload.ConfigProblem(target)
	outdated := workload.OutdatedConfigs(target)
	switch {
	case problem != "":
		o.Target.Ready, o.Target.Broken, o.Target.Message = false, o.Target.Broken || final, problem
		if !o.Primary.Exists {
			o.Primary.Message = "it is not made yet: " + problem
		}
	case outdated != "" && o.Target.Ready && o.Primary.Serving:
		o.Target.Ready, o.Target.Message = false, "its pods may have been started before the last change of "+outdated
	}
}

// promotes reports whether the primary is to be made a copy of what the target runs.
func (w *World) promotes(target, primary *workload.Workload, want rollout.World) bool {
	if want.Primary == "" || target == nil || workload.TargetRevision(target) != want.Primary {
		return false
	}
	if problem, _ := workload.ConfigProblem(target); problem != "" {
		return false // its pods could not start
	}
	return primary == nil || workload.PrimaryRevision(primary) != want.Primary
}

// restartCanary starts the canary's pods anew when they may not have the target's present configuration, and leaves them
// alone while nothing else serves.
func (w *World) restartCanary(ctx context.Context, target, primary *workload.Workload, to rollout.Scale) error {
	if target == nil || primary == nil || to != rollout.ScaleUp {
		return nil
	}
	patch := workload.RestartPatch(target)
	if patch == nil || !workload.Report(primary, nil, workload.Ready{}).Serving {
		return nil
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	answer, err := w.client.patch(ctx, w.refs.Target, patch)
	if err != nil {
		return fmt.Errorf("start the pods of %s anew with their present configuration: %w", w.refs.Target, err)
	}
	w.store.put(w.refs.Target, answer)
	return nil
}
