package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A ledger sums up what a suite has exercised.
type ledger struct {
	title   string
	columns []string

	mu      sync.Mutex
	found   map[string]int  // points by what they are points of
	known   map[string]bool // the points
	seen    map[string]bool // what runs that were exercised have come to, whether it is a point or not
	entries []map[string]int
	done    int
	moments int
	writes  int
}

func newLedger(title string, columns ...string) *ledger {
	l := &ledger{title: title, columns: columns, found: map[string]int{}, known: map[string]bool{}, seen: map[string]bool{}}
	for range columns {
		l.entries = append(l.entries, map[string]int{})
	}
	return l
}

// points notes the changes that a run made undisturbed.
func (l *ledger) points(of string, changes []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found[of] += len(changes)
	for _, c := range changes {
		l.known[c.label] = true
	}
}

// see notes the changes that another run came to.
func (l *ledger) see(changes []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range changes {
		l.seen[c.label] = true
	}
}

// repeats tells whether a change is a request that was made before, at the same point of the rollout.
func repeats(label string) bool {
	return strings.HasSuffix(label, ")") && !strings.HasPrefix(label, "save")
}

// missed returns what was seen and is no point, but for repetitions: a request whose answer came too late to be seen by the
// next look at the world is made again, and changes nothing.
func (l *ledger) missed() (labels []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for label := range l.seen {
		if !l.known[label] && !repeats(label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// enter notes one exercise, by each of the columns.
func (l *ledger) enter(values ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	for i, v := range values {
		l.entries[i][v]++
	}
}

// count notes how many moments were held to the invariants, and how many changes to the lease.
func (l *ledger) count(moments, writes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moments += moments
	l.writes += writes
}

func (l *ledger) print(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	points := 0
	for _, of := range slices.Sorted(maps.Keys(l.found)) {
		points += l.found[of]
		fmt.Fprintf(table, "%d\tpoints in\t%s\n", l.found[of], of)
	}
	for i, column := range l.columns {
		for _, v := range slices.Sorted(maps.Keys(l.entries[i])) {
			fmt.Fprintf(table, "%d\t%s\t%s\n", l.entries[i][v], column, v)
		}
	}
	_ = table.Flush() // a strings.Builder takes everything
	t.Logf("%s: %d exercised, at %d points; %d changes of the namespaces held to the invariants, %d requests to the lease\n%s",
		l.title, l.done, points, l.moments, l.writes, text.String())
}

// endState waits until nothing is under way any more and says what is: who serves, and what the record says. Whatever is not
// one of the states in which a rollout may end is told in full.
func (s *scenario) endState() string {
	s.t.Helper()
	s.Await("the Deployments to be still", func(ctx context.Context) error {
		all, err := s.cluster.Kube.AppsV1().Deployments(s.Name).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, d := range all.Items {
			if st := d.Status; st.ObservedGeneration != d.Generation || st.UpdatedReplicas != *d.Spec.Replicas || st.Replicas != *d.Spec.Replicas || st.ReadyReplicas != *d.Spec.Replicas {
				return fmt.Errorf("%s is not where it should be: %+v", d.Name, st)
			}
		}
		return nil
	})
	return s.endAt(s.record.Now())
}

func (s *scenario) endAt(m Moment) string {
	now, record := s.stateAt(m), recordAt(m)
	target := m.Object("Deployment", "podinfo")
	lease := m.Object("Lease", "penstock-podinfo")
	switch {
	case lease != nil && s.alive(termOf(Version{Object: lease}).holder):
		return "the lease is held by " + termOf(Version{Object: lease}).holder
	case now.weight == 0 && record.Status.Phase == "Initializing" && now.replicas == 2 && readyReplicas(target) == 2 && m.ReadyEndpoints("podinfo") == 2:
		return "the target serves " + imageOf(target) + ", " + record.Status.Phase
	case now.weight == 0 && now.primary == "" && record.Status.Phase == "" && now.replicas == 2 && readyReplicas(target) == 2:
		return "the target serves " + imageOf(target)
	case now.weight == 0 && now.replicas == 0 && m.ReadyEndpoints("podinfo") == 2 && record.Status.Phase != "":
		return "the primary serves " + now.primary + ", " + record.Status.Phase
	}
	return fmt.Sprintf("%+v, the apex has %d endpoints, the record says %+v", now, m.ReadyEndpoints("podinfo"), record.Status)
}

// alive tells whether a holder of the lease is a process that may still run. The lease of a dead one runs out by itself.
func (s *scenario) alive(holder string) bool {
	if holder == "" {
		return false
	}
	if holder == "thief" {
		return false
	}
	for _, t := range s.taps {
		if t.who() == holder {
			return !t.dead()
		}
	}
	return true
}
