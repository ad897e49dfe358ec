package kube

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// health tells whether the cluster answers the requests of some watches. A refusal is an answer.
type health struct {
	tell func(error) // may be nil

	mu      sync.Mutex
	failing map[string]error // by what is watched
}

// of returns the requests of one watch, whose answers are told.
func (h *health) of(what string, lw cache.ListerWatcher) cache.ListerWatcher {
	if h.tell == nil {
		return lw
	}
	inner := cache.ToListerWatcherWithContext(lw)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := inner.ListWithContext(ctx, o)
			h.heard(ctx, what, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := inner.WatchWithContext(ctx, o)
			h.heard(ctx, what, err)
			return w, err
		},
	}
}

func (h *health) heard(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return // nobody waits for an answer any more
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failing, what)
	if err != nil && !permanent(err) {
		h.failing[what] = fmt.Errorf("watch the %s: %w", what, err)
	}
	var first error
	for _, err := range h.failing {
		if first == nil || cmp.Less(err.Error(), first.Error()) {
			first = err
		}
	}
	h.tell(first)
}
