package server

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The buckets of a file: the deliveries that came, by key and by number, and the changes that wait for a look. The
// numbers are the marks.
var (
	seenBucket    = []byte("webhook.seen")
	numberBucket  = []byte("webhook.numbers")
	pendingBucket = []byte("webhook.pending")
)

const (
	fileKeys    = 100_000     // deliveries remembered; what is older counts as new when it is sent again
	lockTimeout = time.Second // for another process to let go of the file
)

// File is a Store and a GateStore in a file, for one replica.
type File struct {
	db    *bbolt.DB
	limit uint64
}

// OpenFile opens the file, and makes it when there is none. An error says that another process has it open, or that it
// is damaged.
func OpenFile(path string) (*File, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %q: another process has the file open", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{seenBucket, numberBucket, pendingBucket, gateBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		_ = db.Close() // the other error says more
		return nil, fmt.Errorf("prepare %q: %w", path, err)
	}
	return &File{db: db, limit: fileKeys}, nil
}

// Close waits for what is being written.
func (f *File) Close() error { return f.db.Close() }

// Commit writes a batch and makes the disk keep it. A write that has begun does not end with ctx.
func (f *File) Commit(ctx context.Context, b Batch) ([]Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	receipts := make([]Receipt, len(b.Add))
	err := f.db.Update(func(tx *bbolt.Tx) error {
		t := boltTx{tx.Bucket(seenBucket), tx.Bucket(numberBucket), tx.Bucket(pendingBucket)}
		for _, p := range b.Done {
			if err := t.done(p); err != nil {
				return err
			}
		}
		for i, d := range b.Add {
			var err error
			if receipts[i], err = t.add(d); err != nil {
				return err
			}
		}
		return t.forget(f.limit)
	})
	if err != nil {
		return nil, fmt.Errorf("write deliveries: %w", err)
	}
	return receipts, nil
}

// Pending lists what is not done.
func (f *File) Pending(ctx context.Context) ([]Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var all []Pending
	err := f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(pendingBucket).ForEach(func(_, value []byte) error {
			var p Pending
			if err := json.Unmarshal(value, &p); err != nil {
				return err
			}
			all = append(all, p)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read what is pending: %w", err)
	}
	return all, nil
}

// boltTx is one transaction.
type boltTx struct{ seen, numbers, pending *bbolt.Bucket }

func (t boltTx) read(s Subject) (p Pending, found bool, err error) {
	value := t.pending.Get([]byte(s.key()))
	if value == nil {
		return Pending{}, false, nil
	}
	err = json.Unmarshal(value, &p)
	return p, true, err
}

func (t boltTx) add(d Delivery) (Receipt, error) {
	name := half(d.Key)
	if t.seen.Get(name) != nil {
		return Receipt{}, nil
	}
	number, err := t.seen.NextSequence()
	if err != nil {
		return Receipt{}, err
	}
	key := binary.BigEndian.AppendUint64(nil, number)
	if err := t.seen.Put(name, key); err != nil {
		return Receipt{}, err
	}
	if err := t.numbers.Put(key, name); err != nil {
		return Receipt{}, err
	}
	p, found, err := t.read(d.Subject)
	if err != nil {
		return Receipt{}, err
	}
	if !found {
		p.Since = d.At
	}
	p.Subject, p.Mark = d.Subject, number
	value, err := json.Marshal(p)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{New: true, Pending: p}, t.pending.Put([]byte(d.Subject.key()), value)
}

func (t boltTx) done(p Pending) error {
	now, found, err := t.read(p.Subject)
	if err != nil || !found || now.Mark > p.Mark {
		return err
	}
	return t.pending.Delete([]byte(p.Subject.key()))
}

// half is the first half of a key, which is the hexadecimal text of a SHA-256. It is short because the keys come in no
// order: the fewer pages they take, the fewer a batch has to write.
func half(key string) []byte {
	if name, err := hex.DecodeString(key[:len(key)/2]); err == nil && len(name) > 0 {
		return name
	}
	return []byte(key) // another kind of key
}

// forget removes the oldest keys beyond the limit.
func (t boltTx) forget(limit uint64) error {
	newest, cursor := t.seen.Sequence(), t.numbers.Cursor()
	for number, key := cursor.First(); number != nil; number, key = cursor.First() {
		if newest-binary.BigEndian.Uint64(number) < limit {
			return nil
		}
		if err := t.seen.Delete(key); err != nil {
			return err
		}
		if err := t.numbers.Delete(number); err != nil {
			return err
		}
	}
	return nil
}
