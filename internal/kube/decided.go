package kube

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
)

// Decided is the log of approvals of one canary, kept up to date by a watch: whoever writes it, a waiting run hears of it
// at once.
type Decided struct {
	client *Client
	ref    canary.Ref

	mu      sync.Mutex
	log     approval.Log
	err     error // why it is not known
	known   bool
	changed chan struct{} // holds one token when there is something new
}

// NewDecided returns the log of a canary's approvals. It makes no request.
func NewDecided(c *Client, cn *canary.Canary) *Decided {
	return &Decided{client: c, ref: cn.RefOf(configMapGVR, "ConfigMap", manifest.DecisionsName(cn)), changed: make(chan struct{}, 1)}
}

// Run keeps the log up to date until ctx ends.
func (d *Decided) Run(ctx context.Context) {
	only := fields.OneTermEqualSelector("metadata.name", d.ref.Name).String()
	tweak := func(o *metav1.ListOptions) { o.FieldSelector = only }
	mirror(ctx, d.client.lister(d.ref.GroupVersionResource, d.ref.Namespace, tweak, d.failed), d.ref.String(), decidedFeed{d})
}

// Log returns the log as it is known now, and whether it was read at all. While it cannot be read, it returns why.
func (d *Decided) Log() (log approval.Log, known bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log, d.known, d.err
}

// Changed holds one token when something is new since it was last taken.
func (d *Decided) Changed() <-chan struct{} { return d.changed }

// failed keeps what is known: a watch that broke off is opened again, and what was said before still holds.
func (d *Decided) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known {
		d.err = err
		d.signal()
	}
}

func (d *Decided) put(object *unstructured.Unstructured) {
	var log approval.Log
	var err error
	if object != nil {
		_, log, err = logIn(object)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log, d.err, d.known = log, err, true
	d.signal()
}

func (d *Decided) signal() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// decidedFeed is where the reflector writes.
type decidedFeed struct{ d *Decided }

func (f decidedFeed) Add(o any) error    { f.d.put(o.(*unstructured.Unstructured)); return nil }
func (f decidedFeed) Update(o any) error { return f.Add(o) }
func (f decidedFeed) Resync() error      { return nil }
func (f decidedFeed) Delete(any) error   { f.d.put(nil); return nil }

func (f decidedFeed) Replace(list []any, _ string) error {
	if len(list) == 0 {
		f.d.put(nil)
		return nil
	}
	return f.Add(list[0])
}
