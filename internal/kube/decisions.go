package kube

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
)

const (
	decisionsKey = "decisions.json"
	earlierKey   = "earlier.json" // the log before this one, so that a ConfigMap never grows beyond what it can hold

	decisionsLimit = 256 << 10 // bytes, at which a new log is begun
)

// Decisions keeps the log of approvals of one canary in the ConfigMap penstock-<canary>-decisions. Writing is a
// compare-and-swap, so that several who receive approvals lose and double nothing. It is for one goroutine.
type Decisions struct {
	client *Client
	canary *canary.Canary
	live   *unstructured.Unstructured // as last read or written; nil when there is none
	log    approval.Log
	begun  bool // this run has looked whether a new log is due
}

// NewDecisions returns the decisions of a canary. It makes no request.
func NewDecisions(c *Client, cn *canary.Canary) *Decisions { return &Decisions{client: c, canary: cn} }

// decisionsOf returns the decisions of a notice's canary, for whoever is not its run: only that may begin a new log, since
// the votes of a rollout may not move away.
func (c *Client) decisionsOf(n approval.Notice) *Decisions {
	cn := &canary.Canary{}
	cn.Namespace, cn.Name = n.Namespace, n.Canary
	d := NewDecisions(c, cn)
	d.begun = true
	return d
}

func (d *Decisions) name() string { return manifest.DecisionsName(d.canary) }

// Update reads the log, adds what add does, writes it if that is anything, and returns it. add may be called several
// times. It must be pure, and may take nothing out.
func (d *Decisions) Update(ctx context.Context, add func(approval.Log) approval.Log) (approval.Log, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		err := d.read(ctx)
		if err != nil {
			return approval.Log{}, err
		}
		next := add(d.log)
		if next.Head == d.log.Head {
			return d.log, nil
		}
		if !next.Extends(d.log.Head) || len(next.Decisions) <= len(d.log.Decisions) {
			return approval.Log{}, fmt.Errorf("%w: the decisions %q may only be added to", ErrRefused, d.name())
		}
		if err = d.write(ctx, next); err == nil {
			d.log = next
			return next, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) || !giveWay(ctx) {
			return approval.Log{}, fmt.Errorf("write the decisions %q: %w", d.name(), err)
		}
	}
}

func (d *Decisions) read(ctx context.Context) error {
	live, err := d.client.dynamic.Resource(configMapGVR).Namespace(d.canary.Namespace).Get(ctx, d.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		d.live, d.log, d.begun = nil, approval.Log{}, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the decisions %q: %w", d.name(), err)
	}
	text, log, err := logIn(live)
	if err != nil {
		return err
	}
	if !d.begun && len(text) > decisionsLimit { // only between rollouts: votes of this one may not move away
		if err := unstructured.SetNestedField(live.Object, text, "data", earlierKey); err != nil {
			return err
		}
		log = approval.Log{}
	}
	d.live, d.log, d.begun = live, log, d.begun || len(text) <= decisionsLimit
	return nil
}

// logIn reads the log of a ConfigMap, and returns its text as well.
func logIn(live *unstructured.Unstructured) (text string, log approval.Log, err error) {
	text, _, _ = unstructured.NestedString(live.Object, "data", decisionsKey)
	if text == "" {
		return text, log, nil
	}
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		return text, log, fmt.Errorf("%w: the decisions %q: %s is damaged: %w; delete the ConfigMap to start over",
			ErrRefused, live.GetName(), decisionsKey, err)
	}
	return text, log, nil
}

// owners are those of the canary. Whoever knows no more of it than its name finds them at the notice of its run; a log that
// belongs to nobody is kept until somebody deletes it.
func (d *Decisions) owners(ctx context.Context) []metav1.OwnerReference {
	if known := owners(d.canary); known != nil {
		return known
	}
	maps := d.client.dynamic.Resource(configMapGVR).Namespace(d.canary.Namespace)
	notice, err := maps.Get(ctx, manifest.GateName(d.canary), metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return notice.GetOwnerReferences()
}

func (d *Decisions) write(ctx context.Context, log approval.Log) error {
	body, err := json.Marshal(log)
	if err != nil {
		return err
	}
	maps := d.client.dynamic.Resource(configMapGVR).Namespace(d.canary.Namespace)
	if d.live == nil {
		object := d.canary.RefOf(configMapGVR, "ConfigMap", d.name()).New()
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": FieldManager})
		object.SetOwnerReferences(d.owners(ctx))
		object.Object["data"] = map[string]any{decisionsKey: string(body)}
		_, err = maps.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
		return err
	}
	object := d.live.DeepCopy()
	if err := unstructured.SetNestedField(object.Object, string(body), "data", decisionsKey); err != nil {
		return err
	}
	if _, err = maps.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager}); err == nil {
		d.begun = true
	}
	return err
}
