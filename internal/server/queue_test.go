package server

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func waiting(change int64, mark uint64) Pending {
	return Pending{Subject: subject(approval.GitHub, change), Mark: mark, Since: noon}
}

// taken takes the next change, 0 when none is due.
func taken(q *queue, now time.Time) (Pending, time.Duration) {
	p, _, wait := q.next(now)
	return p, wait
}

func TestChangesAreTakenInTheOrderTheyCame(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	for i, change := range []int64{3, 1, 2, 3, 1} {
		q.push(waiting(change, uint64(i+1)), noon)
	}
	for _, want := range []int64{3, 1, 2} {
		if p, _ := taken(q, noon); p.Subject.Change != want {
			t.Errorf("%d, want %d", p.Subject.Change, want)
		}
	}
	if p, wait := taken(q, noon); p.Mark != 0 || wait != 0 {
		t.Errorf("%+v after %s", p, wait)
	}
}

func TestFailedChangesWaitLongerEachTimeAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	q, now := newQueue(10), noon
	q.push(waiting(1, 1), now)
	var total time.Duration
	for i := range 20 {
		p, _ := taken(q, now)
		if p.Mark != 1 {
			t.Fatalf("try %d: %+v", i, p)
		}
		wait := q.finish(p, true, now)
		if want := min(time.Second<<i, longestRetry); wait != want {
			t.Errorf("try %d waits %s, want %s", i, wait, want)
		}
		q.push(waiting(2, uint64(i+2)), now)
		other, _ := taken(q, now)
		if other.Subject.Change != 2 {
			t.Fatalf("try %d holds up %+v", i, other)
		}
		q.finish(other, false, now)
		if _, left := taken(q, now.Add(wait-1)); left != 1 {
			t.Errorf("try %d: due in %s", i, left)
		}
		now, total = now.Add(wait), total+wait
	}
	if n, oldest := q.length(); n != 1 || !oldest.Equal(noon) || total < time.Hour {
		t.Errorf("%d since %s", n, oldest)
	}
}

func TestANewPathOfTheSameRepositoryIsUsed(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	q.push(waiting(1, 1), noon)
	moved := waiting(1, 2)
	moved.Subject.Path = "store/web"
	q.push(moved, noon)
	q.push(waiting(1, 1), noon) // late, and so with the old path
	if p, _ := taken(q, noon); p != moved {
		t.Errorf("%+v", p)
	}
	if p, _ := taken(q, noon); p.Mark != 0 {
		t.Errorf("twice: %+v", p)
	}
}

func TestAFailureWithANewDeliveryIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	q.push(waiting(1, 1), noon)
	p, _ := taken(q, noon)
	q.push(waiting(1, 2), noon)
	if wait := q.finish(p, true, noon); wait != 0 {
		t.Errorf("waits %s", wait)
	}
	if p, _ := taken(q, noon); p.Mark != 2 {
		t.Errorf("%+v", p)
	}
}

func TestOnlyWhatWaitsIsDropped(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	q.push(waiting(1, 1), noon)
	q.push(waiting(2, 5), noon)
	q.push(waiting(3, 6), noon)
	looking, _ := taken(q, noon)
	q.drop(looking)
	q.drop(waiting(2, 4)) // a delivery came since
	q.drop(waiting(3, 6))
	q.drop(waiting(4, 1))
	if n, _ := q.length(); n != 2 {
		t.Errorf("%d left", n)
	}
	q.finish(looking, false, noon)
	q.finish(looking, false, noon) // twice is no harm
	if p, _ := taken(q, noon); p.Mark != 5 {
		t.Errorf("%+v", p)
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	q := newQueue(2)
	a, b := q.push(waiting(1, 1), noon), q.push(waiting(2, 2), noon)
	if c := q.push(waiting(3, 3), noon); !a || !b || c {
		t.Errorf("%v %v %v", a, b, c)
	}
	if !q.room(waiting(1, 0).Subject) || q.room(waiting(3, 0).Subject) || q.adopt(waiting(3, 3), noon) || !q.adopt(waiting(2, 2), noon) {
		t.Error("room")
	}
}
