package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

func TestWhatComesDuringAWriteIsWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, began := &memory{enter: func() { time.Sleep(time.Second) }}, time.Now()
		var mu sync.Mutex
		stored := 0
		c := newCommitter(m, func(r []Receipt) { mu.Lock(); defer mu.Unlock(); stored += len(r) })
		var all sync.WaitGroup
		fresh := 0
		for i := range 101 {
			all.Go(func() {
				key := fmt.Sprintf("%016x", i/2) // each twice, but the last
				receipt, err := c.add(t.Context(), Delivery{Key: key, Subject: subject(approval.GitHub, int64(i)), At: began})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if receipt.New {
					fresh++
				}
			})
		}
		all.Wait()
		if took := time.Since(began); m.commits > 2 || took > 2*time.Second || fresh != 51 || stored != 101 {
			t.Errorf("%d writes in %s, %d new of 51, %d receipts", m.commits, took, fresh, stored)
		}
	})
}

func TestAWriteDoesNotEndWithWhoStartedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{enter: func() { time.Sleep(time.Second) }}
		stored := make(chan []Receipt, 1)
		c := newCommitter(m, func(r []Receipt) { stored <- r })
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.add(ctx, Delivery{Key: "01", Subject: subject(approval.GitHub, 1)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if r := <-stored; len(r) != 1 || !r[0].New {
			t.Errorf("%+v", r)
		}
		c.drain()
	})
}
