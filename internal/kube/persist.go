package kube

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// persist makes a request again and again while the cluster is in trouble, until ctx ends. What cannot help to be asked
// again is returned at once. Only requests that change nothing, or that may be made twice, go through it.
func persist(ctx context.Context, request func(context.Context) error) error {
	pause := 100 * time.Millisecond
	for {
		err := request(ctx)
		if err == nil || permanent(err) || apierrors.IsNotFound(err) || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause = min(2*pause, 2*time.Second)
	}
}
