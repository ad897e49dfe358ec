package kube

import (
	"cmp"
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
	answersKey   = "answers.json" // which questions were answered; nothing hangs on it but that they are answered once

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
	if err := d.put(ctx, d.live, decisionsKey, string(body)); err != nil {
		return err
	}
	d.begun = d.begun || d.live != nil
	return nil
}

// put writes one text beside what is there, or makes the ConfigMap when nothing is.
func (d *Decisions) put(ctx context.Context, live *unstructured.Unstructured, key, text string) error {
	maps := d.client.dynamic.Resource(configMapGVR).Namespace(d.canary.Namespace)
	if live == nil {
		object := d.canary.RefOf(configMapGVR, "ConfigMap", d.name()).New()
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": FieldManager})
		object.SetOwnerReferences(d.owners(ctx))
		object.Object["data"] = map[string]any{key: text}
		_, err := maps.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
		return err
	}
	object := live.DeepCopy()
	if err := unstructured.SetNestedField(object.Object, text, "data", key); err != nil {
		return err
	}
	_, err := maps.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	return err
}

// Answers reads which questions were answered, and writes what change makes of it if that is anything else. change may be
// called several times. What cannot be read is as if nothing had been answered.
func (d *Decisions) Answers(ctx context.Context, change func(approval.Answers) approval.Answers) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		live, err := d.client.get(ctx, configMapGVR, d.canary.Namespace, d.name())
		if err != nil {
			return err
		}
		old := "{}"
		if live != nil {
			text, _, _ := unstructured.NestedString(live.Object, "data", answersKey)
			old = cmp.Or(text, old)
		}
		var answers approval.Answers
		if json.Unmarshal([]byte(old), &answers) != nil || answers == nil {
			answers = approval.Answers{}
		}
		text, err := json.Marshal(change(answers))
		if err != nil || string(text) == old {
			return err
		}
		err = d.put(ctx, live, answersKey, string(text))
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) || !giveWay(ctx) {
			return fmt.Errorf("write the answers %q: %w", d.name(), err)
		}
	}
}
