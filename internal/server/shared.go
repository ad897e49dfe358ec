package server

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/clock"
)

// Blob is a small document that several processes share. Change reads it, has it changed, and writes it only if nobody
// else has written meanwhile, or else begins anew: change may be called several times. Nothing is written when change
// returns what it was given, or an error, which Change returns.
type Blob interface {
	Update(ctx context.Context, change func(old []byte) ([]byte, error)) error
}

// sharedPace is the least time between two writes: each writes the whole document, of which the cluster's database
// keeps every version for some minutes.
const sharedPace = 200 * time.Millisecond

// Shared is a Store in a document that several replicas share.
type Shared struct {
	blob  Blob
	clock clock.Clock
	last  time.Time
}

// NewShared returns a Store in a document. It is for one server.
func NewShared(blob Blob, clk clock.Clock) *Shared { return &Shared{blob: blob, clock: clk} }

// Commit writes a batch.
func (s *Shared) Commit(ctx context.Context, b Batch) ([]Receipt, error) {
	if err := s.pace(ctx); err != nil {
		return nil, err
	}
	var receipts []Receipt
	err := s.blob.Update(ctx, func(old []byte) ([]byte, error) {
		l, err := parseLedger(old)
		if err != nil {
			return nil, err
		}
		var changed bool
		if receipts, changed = l.apply(b); !changed {
			return old, nil
		}
		return l.render()
	})
	if err != nil {
		return nil, fmt.Errorf("write deliveries: %w", err)
	}
	return receipts, nil
}

// Pending lists what is not done, by whichever replica.
func (s *Shared) Pending(ctx context.Context) ([]Pending, error) {
	var l ledger
	err := s.blob.Update(ctx, func(old []byte) ([]byte, error) {
		var err error
		l, err = parseLedger(old)
		return old, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is pending: %w", err)
	}
	return l.Pending, nil
}

func (s *Shared) pace(ctx context.Context) error {
	wait := sharedPace - s.clock.Since(s.last)
	if wait > 0 {
		timer := s.clock.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.last = s.clock.Now()
	return nil
}
