package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
)

const (
	noticeKey   = "notice.json"
	noticeLabel = "penstock.dev/notice"
	noticeTries = 5 // of a write that another run gets in the way of
)

// Board is where a run says at which gate it waits: the ConfigMap penstock-<canary>-gate. Whoever receives comments reads
// there what they are about.
type Board struct {
	client *Client
	canary *canary.Canary
	fence  func() (epoch int64, held bool)
	live   *unstructured.Unstructured // as last read or written; nil when there is none
	posted string
}

// NewBoard returns the board of a canary, to be written while the fence says that the lease is held. It makes no request.
// It is for one goroutine.
func NewBoard(c *Client, cn *canary.Canary, fence func() (epoch int64, held bool)) *Board {
	return &Board{client: c, canary: cn, fence: fence}
}

func (b *Board) name() string { return manifest.GateName(b.canary) }

// Post writes the notice, unless it is there already or a run of a later epoch has written another one.
func (b *Board) Post(ctx context.Context, n approval.Notice) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	n.Namespace, n.Canary = b.canary.Namespace, b.canary.Name
	var text string
	for range noticeTries {
		epoch, held := b.fence()
		if !held {
			return ErrSuperseded
		}
		n.Epoch = epoch
		var err error
		if text, err = approval.RenderNotice(n); err != nil || text == b.posted {
			return err
		}
		err = b.put(ctx, b.name(), text)
		if err == nil {
			b.posted = text
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return fmt.Errorf("write the notice %q: %w", b.name(), err)
		}
		if err = b.read(ctx, epoch); err != nil {
			return err
		}
	}
	return fmt.Errorf("write the notice %q: others keep writing it", b.name())
}

func (b *Board) put(ctx context.Context, name, text string) (err error) {
	maps := b.client.dynamic.Resource(configMapGVR).Namespace(b.canary.Namespace)
	if b.live == nil {
		object := b.canary.RefOf(configMapGVR, "ConfigMap", name).New()
		object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": FieldManager, noticeLabel: "true"})
		object.SetOwnerReferences(owners(b.canary))
		object.Object["data"] = map[string]any{noticeKey: text}
		b.live, err = maps.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
		if err != nil {
			b.live = nil
		}
		return err
	}
	object := b.live.DeepCopy()
	if err := unstructured.SetNestedField(object.Object, text, "data", noticeKey); err != nil {
		return err
	}
	written, err := maps.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	if err == nil {
		b.live = written
	}
	return err
}

// read finds what is there. What a later run has written stays.
func (b *Board) read(ctx context.Context, epoch int64) error {
	b.live, b.posted = nil, ""
	live, err := b.client.dynamic.Resource(configMapGVR).Namespace(b.canary.Namespace).Get(ctx, b.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the notice %q: %w", b.name(), err)
	}
	b.live = live
	if there, err := noticeIn(live); err == nil && there.Epoch > epoch {
		return ErrSuperseded
	}
	return nil
}

// Notice reads what the last run of a canary has posted. One that nobody has posted is nil.
func (c *Client) Notice(ctx context.Context, cn *canary.Canary) (*approval.Notice, error) {
	live, err := c.get(ctx, configMapGVR, cn.Namespace, manifest.GateName(cn))
	if err != nil || live == nil {
		return nil, err
	}
	n, err := noticeIn(live)
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// noticeIn reads the notice of a ConfigMap. It counts only where its name says that it belongs: somebody who may write
// one ConfigMap must not speak for the canary of another.
func noticeIn(object *unstructured.Unstructured) (approval.Notice, error) {
	text, _, _ := unstructured.NestedString(object.Object, "data", noticeKey)
	n, err := approval.ParseNotice(text)
	if err != nil {
		return n, fmt.Errorf("ConfigMap %s/%s: %w", object.GetNamespace(), object.GetName(), err)
	}
	cn := &canary.Canary{}
	cn.Namespace, cn.Name = n.Namespace, n.Canary
	name := manifest.GateName(cn)
	if n.Flagger {
		name = manifest.FlaggerGateName(cn, n.Gate.Name)
	}
	if n.Namespace != object.GetNamespace() || object.GetName() != name {
		return n, fmt.Errorf("ConfigMap %s/%s: it speaks for the canary %s/%s, whose notice is another object",
			object.GetNamespace(), object.GetName(), n.Namespace, n.Canary)
	}
	return n, nil
}

// Keep writes what change makes of the notice of a gate that Flagger asks about, unless that is what is there. The notice
// that is given names the gate. change may be called several times.
func (n *Notices) Keep(ctx context.Context, of approval.Notice, change func(old *approval.Notice) approval.Notice) (approval.Notice, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	cn := &canary.Canary{}
	cn.Namespace, cn.Name = of.Namespace, of.Canary
	// Nobody else writes this object: the board is used for its way of writing, without a lease.
	b := &Board{client: n.client, canary: cn}
	name := manifest.FlaggerGateName(cn, of.Gate.Name)
	for {
		live, err := n.client.get(ctx, configMapGVR, of.Namespace, name)
		if err != nil {
			return of, err
		}
		var old *approval.Notice
		if b.live = live; live != nil {
			if there, err := noticeIn(live); err == nil { // one that cannot be read is written anew
				old = &there
			}
		}
		next := change(old)
		text, err := approval.RenderNotice(next)
		if err != nil {
			return of, err
		}
		if old != nil {
			if was, err := approval.RenderNotice(*old); err == nil && was == text {
				return next, nil
			}
		}
		err = b.put(ctx, name, text)
		if err == nil {
			n.put(b.live)
			return next, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) || !giveWay(ctx) {
			return of, fmt.Errorf("write the notice %q: %w", name, err)
		}
	}
}
