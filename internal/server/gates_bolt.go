package server

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/penstock-dev/penstock/internal/canary"
)

// gateBucket has a key for every gate that is open.
var gateBucket = []byte("gates")

// Get reports whether a gate is open.
func (f *File) Get(ctx context.Context, g canary.Gate) (open bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = f.db.View(func(tx *bbolt.Tx) error {
		open = tx.Bucket(gateBucket).Get(gateKey(g)) != nil
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the %s: %w", g, err)
	}
	return open, nil
}

// Set opens or closes a gate and makes the disk keep it. A write that has begun does not end with ctx.
func (f *File) Set(ctx context.Context, g canary.Gate, open bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f.db.Update(func(tx *bbolt.Tx) error {
		if !open {
			return tx.Bucket(gateBucket).Delete(gateKey(g)) // closed is what it is without an entry
		}
		return tx.Bucket(gateBucket).Put(gateKey(g), []byte("open"))
	})
	if err != nil {
		return fmt.Errorf("write the %s: %w", g, err)
	}
	return nil
}

// gateKey has slashes between its parts, which neither a name nor a namespace can have.
func gateKey(g canary.Gate) []byte {
	kind := "gate"
	if g.Rollback {
		kind = "rollback"
	}
	return []byte(g.Namespace + "/" + kind + "/" + g.Name)
}
