package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

var (
	canaryGVR = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}
	eventGVR  = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// viewTimeout bounds what only informs people: it must not hold up a rollout.
const viewTimeout = 3 * time.Second

// View keeps the status of the Canary object as Flagger does, for kubectl and dashboards. Nothing is decided by it.
type View struct {
	client *Client
	canary *canary.Canary
	ref    canary.Ref
	last   canary.Status

	deleted bool                     // the object was being deleted when it was read
	tracked func() map[string]string // status.trackedConfigs; nil shows none
	shown   map[string]bool          // its keys in the cluster, which a patch has to take away by name
}

// FindView looks for the Canary object in the cluster. Without the object, or without its CRD, there is no view.
// A Canary that a Flagger controller acts on is an error: two drivers of one rollout would fight.
func FindView(ctx context.Context, c *Client, cn *canary.Canary) (*View, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ref := cn.RefOf(canaryGVR, "Canary", cn.Name)
	var live *unstructured.Unstructured
	err := persist(ctx, func(ctx context.Context) (err error) {
		live, err = c.dynamic.Resource(canaryGVR).Namespace(cn.Namespace).Get(ctx, cn.Name, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil, nil //nolint:nilnil // no view is not an error
	case apierrors.IsUnauthorized(err): // by the first request of a run; later on, a token may just have ended
		return nil, fmt.Errorf("%w: %s takes nobody with these credentials (401 Unauthorized): a wrong or old token, or an id token "+
			"for an audience or from an issuer that the API server does not trust; see docs/credentials.md", ErrRefused, c.Host)
	case err != nil:
		return nil, fmt.Errorf("read %s at %s: %w", ref, c.Host, err)
	case drivenByFlagger(live):
		return nil, fmt.Errorf("%w: %s is driven by a Flagger controller; set spec.suspend: true on it first, "+
			"so that only one of the two moves the traffic, or follow its rollout with --driver follow", ErrRefused, ref)
	}
	cn.UID = live.GetUID() // generated objects are owned by the Canary
	v := &View{client: c, canary: cn, ref: ref, shown: map[string]bool{}, deleted: live.GetDeletionTimestamp() != nil}
	known, _, _ := unstructured.NestedFieldNoCopy(live.Object, "status", "trackedConfigs")
	configs, _ := known.(map[string]any)
	for key := range configs {
		v.shown[key] = true
	}
	if status, _, _ := unstructured.NestedMap(live.Object, "status"); status != nil {
		// What cannot be read is written anew.
		_ = runtime.DefaultUnstructuredConverter.FromUnstructured(status, &v.last)
	}
	return v, nil
}

// Track makes the status show the ConfigMaps and Secrets of a world's target.
func (v *View) Track(w *World) {
	if v != nil {
		v.tracked = w.TrackedConfigs
	}
}

// drivenByFlagger reports whether a Flagger controller has written the status and is not suspended.
func drivenByFlagger(live *unstructured.Unstructured) bool {
	if suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend"); suspended {
		return false
	}
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == "flagger" && entry.Subresource == "status" {
			return true
		}
	}
	return false
}

// Status shows a rollout's status as Flagger's. What LastTransitionTime says is the last change of phase.
func Status(spec *rollout.Spec, st *rollout.Status, c *canary.Canary) canary.Status {
	target := c.Spec.TargetRef.Kind + " " + c.Spec.TargetRef.Name
	v := canary.Status{
		Phase: string(st.Phase), FailedChecks: st.Failed, CanaryWeight: int(st.Weight),
		LastAppliedSpec: st.Revision, LastTransitionTime: metav1.NewTime(st.Since),
	}
	if st.Phase == rollout.RollingBack {
		v.Phase = string(rollout.Progressing)
	}
	switch st.Phase {
	case rollout.Initialized, rollout.Finalising, rollout.Succeeded:
		v.LastPromotedSpec = st.Promoted
	case rollout.Initializing, rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting,
		rollout.RollingBack, rollout.Failed, rollout.Terminating, rollout.Terminated:
		if st.Promoted != st.Revision {
			v.LastPromotedSpec = st.Promoted
		}
	}
	if last := len(spec.Steps) - 1; st.Step > 0 && st.Step <= len(spec.Steps) && (spec.Steps[last].Bare || spec.Steps[last].Match) {
		v.Iterations = st.Step
	}
	showCookies(&v, rollout.Want(spec, st).Route, st, c)
	promoted := canary.Condition{
		Type: canary.ConditionPromoted, Status: metav1.ConditionUnknown, Reason: v.Phase, Message: message(st, target),
		LastTransitionTime: metav1.NewTime(st.Since), LastUpdateTime: metav1.NewTime(st.Since),
	}
	switch st.Phase {
	case rollout.Initialized, rollout.Succeeded:
		promoted.Status = metav1.ConditionTrue
	case rollout.Failed:
		promoted.Status = metav1.ConditionFalse
	case rollout.Initializing, rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting,
		rollout.Finalising, rollout.RollingBack, rollout.Terminating, rollout.Terminated:
	}
	v.Conditions = []canary.Condition{promoted}
	return v
}

// showCookies names the session cookies as browsers get them: those of the rollout while it keeps users on their side, and
// the one that is taken back.
func showCookies(v *canary.Status, route rollout.Route, st *rollout.Status, c *canary.Canary) {
	if c.Spec.Analysis == nil || c.Spec.Analysis.SessionAffinity == nil {
		return
	}
	a, previous := c.Spec.Analysis.SessionAffinity, st.Previous
	switch {
	case route.Session != "":
		v.SessionAffinityCookie = a.CookieName + "=" + route.Session
		if a.PrimaryCookieName != "" {
			v.PrimarySessionAffinityCookie = a.PrimaryCookieName + "=" + route.Session
		}
	case st.Phase.Terminal() && st.Session != "":
		previous = st.Session
	}
	if previous != "" {
		v.PreviousSessionAffinityCookie = a.CookieName + "=" + previous
	}
}

// message is the condition's: what the phase means, and after a failure why.
func message(st *rollout.Status, target string) string {
	switch st.Phase {
	case rollout.Initializing:
		return fmt.Sprintf("New %s detected, initializing.", target)
	case rollout.Initialized:
		return target + " initialization completed."
	case rollout.Progressing, rollout.RollingBack, rollout.Waiting:
		return "New revision detected, progressing canary analysis."
	case rollout.WaitingPromotion:
		return "Waiting for approval."
	case rollout.Promoting:
		return "Canary analysis completed, starting primary rolling update."
	case rollout.Finalising:
		return "Canary analysis completed, routing all traffic to primary."
	case rollout.Succeeded:
		return "Canary analysis completed successfully, promotion finished."
	case rollout.Failed:
		switch { // Flagger says in each case that the pods are gone
		case !st.Routed:
			return fmt.Sprintf("%s initialization failed, not scaled down. %s", target, st.Reason)
		case st.Halted && st.Promoted == st.Revision:
			return fmt.Sprintf("Canary promotion failed, %s not scaled down. %s", target, st.Reason)
		case st.Halted:
			return fmt.Sprintf("Canary analysis failed, %s not scaled down. %s", target, st.Reason)
		}
		return fmt.Sprintf("Canary analysis failed, %s scaled to zero. %s", target, st.Reason)
	case rollout.Terminating, rollout.Terminated:
	}
	return ""
}

// Write shows a status, when it differs from what was shown last.
func (v *View) Write(ctx context.Context, s canary.Status) error {
	if v == nil {
		return nil
	}
	if v.tracked != nil {
		s.TrackedConfigs = v.tracked()
	}
	keepTimes(&s, &v.last)
	if sameStatus(&s, &v.last) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	body, err := v.patch(&s)
	if err != nil {
		return fmt.Errorf("write the status of %s: %w", v.ref, err)
	}
	if _, err := v.client.write(ctx, v.ref, types.MergePatchType, body, metav1.PatchOptions{FieldManager: FieldManager}, "status"); err != nil {
		return fmt.Errorf("write the status of %s: %w", v.ref, err)
	}
	v.last, v.shown = s, map[string]bool{}
	for key := range s.TrackedConfigs {
		v.shown[key] = true
	}
	return nil
}

// patch is the merge patch that shows a status. Cookies and keys of trackedConfigs that are no more are taken away one by
// one.
func (v *View) patch(s *canary.Status) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var status map[string]any
	if err := json.Unmarshal(text, &status); err != nil {
		return nil, err
	}
	if v.canary.Spec.Analysis != nil && v.canary.Spec.Analysis.SessionAffinity != nil {
		for _, key := range [...]string{"sessionAffinityCookie", "primarySessionAffinityCookie", "previousSessionAffinityCookie"} {
			if _, shown := status[key]; !shown {
				status[key] = nil // one that is no longer given out is taken away
			}
		}
	}
	for key := range v.shown {
		if _, still := s.TrackedConfigs[key]; !still {
			if err := unstructured.SetNestedField(status, nil, "trackedConfigs", key); err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(map[string]any{"status": status})
}

// keepTimes leaves the times of a transition as they were while what is shown has not changed: a rollback begins in a phase
// that Flagger does not have, and shows as the one before.
func keepTimes(next, last *canary.Status) {
	if next.Phase != last.Phase || next.LastAppliedSpec != last.LastAppliedSpec || last.LastTransitionTime.IsZero() {
		return
	}
	next.LastTransitionTime = last.LastTransitionTime
	next.Conditions = slices.Clone(next.Conditions)
	for i := range next.Conditions {
		c := &next.Conditions[i]
		for _, old := range last.Conditions {
			if old.Type == c.Type && old.Status == c.Status && old.Reason == c.Reason && !old.LastTransitionTime.IsZero() {
				c.LastTransitionTime = old.LastTransitionTime
				if old.Message == c.Message {
					c.LastUpdateTime = old.LastUpdateTime
				}
			}
		}
	}
}

func sameStatus(a, b *canary.Status) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Event writes a Kubernetes event about the Canary, with Flagger's reason.
func (v *View) Event(ctx context.Context, now time.Time, e rollout.Event) error {
	if v == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	kind := "Normal"
	if e.Warning {
		kind = "Warning"
	}
	stamp := now.UTC().Format(time.RFC3339)
	object := v.canary.RefOf(eventGVR, "Event", "").New()
	object.SetGenerateName(v.canary.Name + "-")
	object.Object["type"], object.Object["reason"], object.Object["message"] = kind, "Synced", e.Message
	object.Object["firstTimestamp"], object.Object["lastTimestamp"], object.Object["count"] = stamp, stamp, int64(1)
	object.Object["source"] = map[string]any{"component": FieldManager}
	object.Object["involvedObject"] = map[string]any{
		"apiVersion": canary.APIVersion, "kind": "Canary", "name": v.canary.Name, "namespace": v.canary.Namespace,
		"uid": string(v.canary.UID),
	}
	_, err := v.client.dynamic.Resource(eventGVR).Namespace(v.canary.Namespace).Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("write an event of %s: %w", v.ref, err)
	}
	return nil
}
