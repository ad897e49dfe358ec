package kube

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/report"
)

// Notices knows all rollouts of some namespaces at whose gates people approve. It is kept up to date by a watch.
type Notices struct {
	client     *Client
	namespaces []string // one that is empty stands for all
	warn       func(error)

	mu      sync.Mutex
	found   map[string]approval.Notice // by namespace/name of the ConfigMap
	pending map[string]bool            // namespaces that were not listed yet
	synced  chan struct{}              // closed when all were
	changed chan struct{}              // holds one token when there is something new
}

// NewNotices returns the notices of these namespaces, or of all when one of them is empty. warn is told what cannot be
// read, and may be nil.
func NewNotices(c *Client, namespaces []string, warn func(error)) *Notices {
	if slices.Contains(namespaces, "") {
		namespaces = []string{""}
	}
	n := &Notices{
		client: c, namespaces: namespaces, warn: warn, found: map[string]approval.Notice{}, pending: map[string]bool{},
		synced: make(chan struct{}), changed: make(chan struct{}, 1),
	}
	for _, ns := range namespaces {
		n.pending[ns] = true
	}
	return n
}

// Run keeps the notices up to date until ctx ends.
func (n *Notices) Run(ctx context.Context) {
	var watching sync.WaitGroup
	for _, ns := range n.namespaces {
		watching.Go(func() {
			feed := &noticeFeed{n: n, namespace: ns}
			tweak := func(o *metav1.ListOptions) { o.LabelSelector = noticeLabel + "=true" }
			mirror(ctx, n.client.lister(configMapGVR, ns, tweak, n.failed), "notices of "+cmp.Or(ns, "all namespaces"), feed)
		})
	}
	watching.Wait()
}

// Synced is closed when every namespace was read once.
func (n *Notices) Synced() <-chan struct{} { return n.synced }

// Changed holds one token when something is new since it was last taken.
func (n *Notices) Changed() <-chan struct{} { return n.changed }

// All returns the notices that are known now, in the order of their canaries.
func (n *Notices) All() []approval.Notice {
	return n.where(func(approval.Notice) bool { return true })
}

// For returns the notices about a change.
func (n *Notices) For(of approval.Source) []approval.Notice {
	return n.where(func(o approval.Notice) bool { return o.Gate.Source == of })
}

func (n *Notices) where(keep func(approval.Notice) bool) []approval.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []approval.Notice
	for _, o := range n.found {
		if keep(o) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b approval.Notice) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Canary, b.Canary))
	})
	return list
}

// Decisions returns the decisions of a notice's canary, to be written.
func (n *Notices) Decisions(of approval.Notice) *Decisions { return n.client.decisionsOf(of) }

// Standing reads what the cluster keeps of a notice's canary.
func (n *Notices) Standing(ctx context.Context, of approval.Notice, now time.Time) (report.Standing, error) {
	return n.client.StandingOf(ctx, Whose{Namespace: of.Namespace, Canary: of.Canary}, now)
}

func (n *Notices) failed(err error) {
	if n.warn != nil {
		n.warn(err)
	}
}

// put keeps a notice. One that cannot be read is none, so that nobody's comment counts by half of it.
func (n *Notices) put(object *unstructured.Unstructured) {
	read, err := noticeIn(object)
	if err != nil {
		n.remove(object)
		n.failed(err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found[nameOf(object)] = read
	n.signal()
}

func (n *Notices) remove(object *unstructured.Unstructured) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.found, nameOf(object))
	n.signal()
}

// signal says that there is something new. The lock is held.
func (n *Notices) signal() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

func nameOf(object *unstructured.Unstructured) string {
	return object.GetNamespace() + "/" + object.GetName()
}

// noticeFeed is where the reflector of one namespace writes.
type noticeFeed struct {
	n         *Notices
	namespace string
}

func (f *noticeFeed) Add(o any) error    { f.n.put(o.(*unstructured.Unstructured)); return nil }
func (f *noticeFeed) Update(o any) error { return f.Add(o) }
func (f *noticeFeed) Resync() error      { return nil }
func (f *noticeFeed) Delete(o any) error { f.n.remove(o.(*unstructured.Unstructured)); return nil }

func (f *noticeFeed) Replace(list []any, _ string) error {
	there := map[string]bool{}
	for _, o := range list {
		object := o.(*unstructured.Unstructured)
		there[nameOf(object)] = true
		f.n.put(object)
	}
	n := f.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, o := range n.found {
		if (f.namespace == "" || o.Namespace == f.namespace) && !there[name] {
			delete(n.found, name)
		}
	}
	n.signal()
	if delete(n.pending, f.namespace); len(n.pending) == 0 {
		select {
		case <-n.synced:
		default:
			close(n.synced)
		}
	}
	return nil
}
