package reach

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
)

// How long an answer of the API server is good for. Pods come and go within seconds during a rollout, Services do not.
const (
	keepService = 30 * time.Second
	keepAbsence = 5 * time.Minute // of what may be a host of the internet
	keepPods    = 2 * time.Second
)

// errNotService means that a host is none of the cluster, as far as it can be known.
var errNotService = errors.New("not a Service of the cluster")

// cluster answers what Services there are.
type cluster interface {
	service(ctx context.Context, s Service) (*corev1.Service, error)
	slices(ctx context.Context, s Service) ([]discoveryv1.EndpointSlice, error)
}

// book remembers for a while what the cluster has answered. It is safe for concurrent use.
type book struct {
	cluster cluster
	clock   clock.PassiveClock

	mu    sync.Mutex
	known map[Service]*entry
	turn  int // takes every pod of a Service in turn, as a Service does
}

type entry struct {
	service *corev1.Service // nil: there is none
	refused error           // the run may not know
	until   time.Time

	slices []discoveryv1.EndpointSlice
	fresh  time.Time // until when they are
}

// find returns a Service. Where the name may be that of something else, errNotService means that it is.
func (b *book) find(ctx context.Context, p Place) (*corev1.Service, error) {
	e, err := b.entry(ctx, p.Service)
	switch {
	case err != nil:
		return nil, err
	case e.service != nil:
		return e.service, nil
	case !p.Sure:
		return nil, errNotService
	}
	b.forget(p.Service)
	if e.refused != nil {
		return nil, unasked(p.Service, "Services", e.refused)
	}
	return nil, &Error{Service: p.Service, Message: "there is no such Service in the cluster", Passing: true}
}

// entry asks for a Service, unless the answer is known.
func (b *book) entry(ctx context.Context, s Service) (entry, error) {
	b.mu.Lock()
	have := b.known[s]
	if have != nil && b.clock.Now().Before(have.until) {
		defer b.mu.Unlock()
		return *have, nil
	}
	b.mu.Unlock() // two that ask at once ask twice, which is better than that one waits for the other
	e := entry{}
	keep := keepService
	var err error
	switch e.service, err = b.cluster.service(ctx, s); {
	case apierrors.IsForbidden(err):
		e.refused, keep = err, keepAbsence
	case err != nil:
		return entry{}, unasked(s, "Services", err)
	case e.service == nil:
		keep = keepAbsence
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e.until = b.clock.Now().Add(keep)
	if have := b.known[s]; have != nil {
		e.slices, e.fresh = have.slices, have.fresh
	}
	b.known[s] = &e
	return e, nil
}

// pods returns the ready pods behind a place, the one whose turn it is first.
func (b *book) pods(ctx context.Context, p Place, s *corev1.Service) ([]pod, error) {
	port, err := portOf(s, p.Port)
	if err != nil {
		b.forget(p.Service) // it may have got the port meanwhile
		return nil, err
	}
	found, err := b.slices(ctx, p.Service)
	if err != nil {
		return nil, err
	}
	ready, err := podsOf(p.Service, port, found)
	if err != nil {
		b.stale(p.Service)
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	at := b.turn % len(ready)
	return slices.Concat(ready[at:], ready[:at]), nil
}

func (b *book) slices(ctx context.Context, s Service) ([]discoveryv1.EndpointSlice, error) {
	b.mu.Lock()
	if e := b.known[s]; e != nil && b.clock.Now().Before(e.fresh) {
		defer b.mu.Unlock()
		return e.slices, nil
	}
	b.mu.Unlock()
	found, err := b.cluster.slices(ctx, s)
	if err != nil {
		return nil, unasked(s, "EndpointSlices", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.known[s]; e != nil {
		e.slices, e.fresh = found, b.clock.Now().Add(keepPods)
	}
	return found, nil
}

// stale makes the next one ask for the pods of a Service again.
func (b *book) stale(s Service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.known[s]; e != nil {
		e.fresh = time.Time{}
	}
}

// forget makes the next one ask for a Service again.
func (b *book) forget(s Service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, s)
}
