package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// A watchdog renews the Lease penstock.watchdog of each namespace that it watches, so that runs know of it.
const (
	beatPeriod = 10 * time.Second
	beatLimit  = 30 * time.Second // after which nobody is taken to be there
	beatWait   = beatPeriod + 3*time.Second
)

// servesAnnotation lists what the server does beside watching, with commas between.
const servesAnnotation = "penstock.dev/serves"

// Duty is something that a run counts on a server for.
type Duty struct {
	Names []string // of what the server does, one of which is enough; see Watchdog.Serves
	What  string   // the same in words, and how a server is told to do it
}

// Serves makes the watchdog tell runs what the server does beside watching, by names that they know. It is called before Run.
func (w *Watchdog) Serves(names []string) { w.serves = strings.Join(names, ",") }

// beats renews the lease of a namespace until ctx ends. Several replicas share it: whose write comes second is no matter.
func (w *Watchdog) beats(ctx context.Context, namespace string) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := w.client.beat(ctx, namespace, w.serves); err != nil && ctx.Err() == nil {
			w.failed(fmt.Errorf("runs are not told that somebody watches over the namespace %q: %w", namespace, err))
		}
		timer.Reset(beatPeriod)
	}
}

func (c *Client) beat(ctx context.Context, namespace, serves string) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	leases := c.dynamic.Resource(leaseGVR).Namespace(namespace)
	live, err := leases.Get(ctx, manifest.WatchdogName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	now := metav1.NewMicroTime(time.Now())
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: manifest.WatchdogName, Namespace: namespace}}
	lease.Annotations = map[string]string{servesAnnotation: serves}
	lease.Labels = map[string]string{"app.kubernetes.io/managed-by": FieldManager}
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: ptr.To(FieldManager), RenewTime: &now, LeaseDurationSeconds: ptr.To(int32(beatLimit / time.Second)),
	}
	if live != nil && err == nil {
		lease.ResourceVersion = live.GetResourceVersion()
	}
	body, convertErr := runtime.DefaultUnstructuredConverter.ToUnstructured(lease)
	if convertErr != nil {
		return convertErr
	}
	object := &unstructured.Unstructured{Object: body}
	object.SetGroupVersionKind(leaseGVR.GroupVersion().WithKind("Lease"))
	if err != nil {
		_, err = leases.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
	} else {
		_, err = leases.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// RequireWatchdog asks whether a server watches over the rollouts of a namespace, and does its duties. One whose clock
// differs is seen by its renewing the lease, which is waited for for a few seconds; so is another server that does what the
// one does not. The error is ErrRefused when nobody does.
func (c *Client) RequireWatchdog(ctx context.Context, namespace string, duties ...Duty) error {
	ctx, cancel := context.WithTimeout(ctx, beatWait)
	defer cancel()
	first, found := "", fmt.Errorf("%w: nobody watches over the rollouts of namespace %q, since the Lease %q there is missing or was not renewed within %s; "+
		"start penstock serve for that namespace", ErrRefused, namespace, manifest.WatchdogName, beatLimit)
	for {
		live, err := c.get(ctx, leaseGVR, namespace, manifest.WatchdogName)
		switch {
		case ctx.Err() != nil || err == nil && live == nil:
			return found
		case err != nil:
			return err
		}
		var lease coordinationv1.Lease
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &lease); err != nil {
			return fmt.Errorf("read the lease %q: %w", manifest.WatchdogName, err)
		}
		if renewed := lease.Spec.RenewTime; renewed != nil && time.Since(renewed.Time).Abs() < beatLimit || first != "" && first != lease.ResourceVersion {
			serves := lease.Annotations[servesAnnotation]
			lacking := undone(strings.Split(serves, ","), duties)
			if len(lacking) == 0 {
				return nil
			}
			found = fmt.Errorf("%w: a server watches over the rollouts of namespace %q, but it does not %s; it says that it serves: %s",
				ErrRefused, namespace, strings.Join(lacking, ", and does not "), cmp.Or(serves, "nothing"))
		}
		first = lease.ResourceVersion
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// undone lists the duties that none of the names stands for, in words.
func undone(names []string, duties []Duty) []string {
	var all []string
	for _, duty := range duties {
		if !slices.ContainsFunc(duty.Names, func(name string) bool { return slices.Contains(names, name) }) {
			all = append(all, duty.What)
		}
	}
	return all
}
