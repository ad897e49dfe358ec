package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/penstock-dev/penstock/internal/canary"
)

// gateBucket has a key for every gate that is open.
var gateBucket = []byte("gates")

// gateLock is how long another process is given to let go of the file.
const gateLock = time.Second

// GateFile keeps gates in a file, for one replica.
type GateFile struct {
	db *bbolt.DB
}

// OpenGateFile opens the file, and makes it when there is none. An error says that another process has it open, or that it
// is damaged.
func OpenGateFile(path string) (*GateFile, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: gateLock})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open the gates %q: another process has the file open", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the gates %q: %w", path, err)
	}
	f, err := newGateFile(db)
	if err != nil {
		_ = db.Close() // the other error says more
		return nil, fmt.Errorf("prepare the gates %q: %w", path, err)
	}
	return f, nil
}

// newGateFile keeps gates in a file that others use, too.
func newGateFile(db *bbolt.DB) (*GateFile, error) {
	err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(gateBucket)
		return err
	})
	return &GateFile{db: db}, err
}

// Close waits for what is being written.
func (f *GateFile) Close() error { return f.db.Close() }

// Get reports whether a gate is open.
func (f *GateFile) Get(ctx context.Context, g canary.Gate) (open bool, err error) {
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
func (f *GateFile) Set(ctx context.Context, g canary.Gate, open bool) error {
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
