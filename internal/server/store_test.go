package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
)

// blob is a document in memory.
type blob struct {
	mu    sync.Mutex
	text  []byte
	other func() // called once, between reading and writing
}

func (b *blob) Update(ctx context.Context, change func([]byte) ([]byte, error)) error {
	b.mu.Lock()
	old, other := b.text, b.other
	b.other = nil
	b.mu.Unlock()
	next, err := change(old)
	if err != nil {
		return err
	}
	if other != nil {
		other()
		return b.Update(ctx, change)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = next
	return nil
}

func openFile(t testing.TB, path string) *File {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stores are the Stores, each with what opens it again after the process has died.
func stores(t *testing.T) map[string]func() Store {
	path, shared := filepath.Join(t.TempDir(), "deliveries.db"), &blob{}
	var last *File
	t.Cleanup(func() { _ = last.Close() })
	return map[string]func() Store{
		"file": func() Store {
			if last != nil {
				if err := last.Close(); err != nil {
					t.Fatal(err)
				}
			}
			last = openFile(t, path)
			return last
		},
		"shared": func() Store { return NewShared(shared, clock.RealClock{}) },
	}
}

func numbered(n int, change int64) Delivery {
	return Delivery{
		Key: deliveryKey(approval.GitHub, fmt.Sprint(n), nil), Subject: subject(approval.GitHub, change),
		At: time.Date(2030, 1, 2, 3, 4, n, 0, time.UTC),
	}
}

func TestStores(t *testing.T) {
	t.Parallel()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open()
				receipts, err := s.Commit(t.Context(), Batch{Add: []Delivery{
					numbered(1, 7), numbered(2, 8), numbered(1, 7), numbered(3, 7),
				}})
				if err != nil || len(receipts) != 4 {
					t.Fatalf("%v %v", receipts, err)
				}
				for i, fresh := range []bool{true, true, false, true} {
					if receipts[i].New != fresh {
						t.Errorf("delivery %d: %+v", i, receipts[i])
					}
				}
				early, late := receipts[0].Pending, receipts[3].Pending
				if late.Mark <= early.Mark || late.Mark <= receipts[1].Pending.Mark || !late.Since.Equal(numbered(1, 7).At) {
					t.Errorf("early %+v, late %+v", early, late)
				}
				pendingIs(t, s, 7, 8)
				commit(t, s, Batch{Done: []Pending{early}}) // a look that began before the last delivery came
				pendingIs(t, s, 7, 8)
				s = open()
				pendingIs(t, s, 7, 8)
				commit(t, s, Batch{Done: []Pending{late, {Subject: subject(approval.GitLab, 8), Mark: 99}}})
				pendingIs(t, s, 8)
				if r := commit(t, s, Batch{Add: []Delivery{numbered(3, 7)}}); r[0].New {
					t.Error("a delivery that was done is new again")
				}
				r := commit(t, s, Batch{Done: []Pending{late}, Add: []Delivery{numbered(4, 7)}})
				if !r[0].New || r[0].Pending.Mark <= late.Mark || !r[0].Pending.Since.Equal(numbered(4, 7).At) {
					t.Errorf("%+v after %+v", r[0], late)
				}
				pendingIs(t, open(), 7, 8)
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := s.Commit(ended, Batch{Add: []Delivery{numbered(5, 7)}}); err == nil && name == "file" {
					t.Error("a write after the end")
				}
			})
		})
	}
}

func commit(t *testing.T, s Store, b Batch) []Receipt {
	t.Helper()
	receipts, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return receipts
}

func pendingIs(t *testing.T, s Store, changes ...int64) {
	t.Helper()
	all, err := s.Pending(t.Context())
	if err != nil || len(all) != len(changes) {
		t.Errorf("pending %+v %v, want %v", all, err, changes)
		return
	}
	for _, want := range changes {
		found := false
		for _, p := range all {
			found = found || p.Subject == subject(approval.GitHub, want) && !p.Since.IsZero()
		}
		if !found {
			t.Errorf("pending %+v lacks %d", all, want)
		}
	}
}

func TestAFileForgetsTheOldestDeliveriesOnly(t *testing.T) {
	t.Parallel()
	f := openFile(t, filepath.Join(t.TempDir(), "deliveries.db"))
	defer f.Close()
	f.limit = 10
	for n := range 25 {
		commit(t, f, Batch{Add: []Delivery{numbered(n, 1)}})
	}
	for _, n := range []int{24, 16, 15} { // the last ten
		if r := commit(t, f, Batch{Add: []Delivery{numbered(n, 1)}}); r[0].New {
			t.Errorf("delivery %d is forgotten", n)
		}
	}
	if r := commit(t, f, Batch{Add: []Delivery{numbered(14, 1)}}); !r[0].New {
		t.Error("delivery 14 is remembered")
	}
}

func TestAFileIsForOneProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // waits for the lock
		path := filepath.Join(t.TempDir(), "deliveries.db")
		f := openFile(t, path)
		if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("opened twice: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := openFile(t, path).Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestALedgerFitsAConfigMap(t *testing.T) {
	t.Parallel()
	var l ledger
	var b Batch
	for n := range 12_000 {
		b.Add = append(b.Add, numbered(n, int64(n%1000)))
	}
	if _, changed := l.apply(b); !changed || len(l.keys) != ledgerKeys || len(l.Pending) != 1000 {
		t.Fatalf("%d keys, %d pending", len(l.keys), len(l.Pending))
	}
	text, err := l.render()
	if err != nil || len(text) > 300<<10 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	again, err := parseLedger(text)
	if err != nil || again.Mark != 12_000 || len(again.keys) != ledgerKeys || again.keys[5] != l.keys[5] || again.Pending[999] != l.Pending[999] {
		t.Errorf("read again: %v", err)
	}
	if _, changed := again.apply(Batch{Add: b.Add[5000:5010]}); changed {
		t.Error("deliveries that are known change it")
	}
	for n := range 8000 {
		l.Pending = append(l.Pending, Pending{Subject: subject(approval.GitLab, int64(n)), Mark: 1})
	}
	if _, err := l.render(); !errors.Is(err, errLedgerFull) {
		t.Errorf("too many: %v", err)
	}
}

func TestADamagedLedgerIsNotTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"mark":1}`, "{\"mark\":1}\n123"} {
		s := NewShared(&blob{text: []byte(text)}, clock.RealClock{})
		if _, err := s.Pending(t.Context()); err == nil {
			t.Errorf("%q is read", text)
		}
		if _, err := s.Commit(t.Context(), Batch{Add: []Delivery{numbered(1, 1)}}); err == nil {
			t.Errorf("%q is overwritten", text)
		}
	}
}

func TestASharedStoreKeepsItsPaceAndLosesNoRace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := &blob{}
		one, two := NewShared(shared, clock.RealClock{}), NewShared(shared, clock.RealClock{})
		began := time.Now()
		shared.other = func() { commit(t, two, Batch{Add: []Delivery{numbered(1, 1), numbered(2, 2)}}) }
		if r := commit(t, one, Batch{Add: []Delivery{numbered(1, 1), numbered(3, 3)}}); r[0].New || !r[1].New || r[1].Pending.Mark != 3 {
			t.Errorf("%+v", r)
		}
		pendingIs(t, one, 1, 2, 3)
		for n := range 10 {
			commit(t, one, Batch{Add: []Delivery{numbered(10+n, 1)}})
		}
		if took := time.Since(began); took != 10*sharedPace {
			t.Errorf("ten more writes took %s", took)
		}
		before := bytes.Clone(shared.text)
		commit(t, one, Batch{Add: []Delivery{numbered(1, 1)}, Done: []Pending{{Subject: subject(approval.GitHub, 99), Mark: 999}}})
		if !bytes.Equal(before, shared.text) {
			t.Error("nothing new changes the document")
		}
		hurry, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := one.Commit(hurry, Batch{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
