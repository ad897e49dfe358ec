package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Request is one that penstock made to the API server.
type Request struct {
	At       time.Time
	Verb     string // get, list, watch, create, update, patch, delete
	Resource string // with subresource, as in deployments/scale; the path, for a request that is not for a resource
	Name     string // empty for a collection
	Code     int    // HTTP status; 0 for a watch that still runs
}

// auditEvent is the part of audit.k8s.io/v1 Event that is read here.
type auditEvent struct {
	AuditID                  string
	Verb, RequestURI         string
	UserAgent                string
	RequestReceivedTimestamp time.Time
	User                     struct{ Username string }
	ObjectRef                *struct{ Resource, Subresource, Name string }
	ResponseStatus           *struct{ Code int }
}

// Requests returns what penstock processes asked of the API server as this namespace's users, in the order of arrival,
// in the namespace or elsewhere. It comes from the API server's audit log, not from the client's own account.
func (n *Namespace) Requests() []Request {
	n.t.Helper()
	return n.requestsOf(n.admin(), n.user(), n.server())
}

// requestsOf is Requests of the users with these names.
func (n *Namespace) requestsOf(users ...string) []Request {
	n.t.Helper()
	requests, err := readAudit(n.cluster.path("audit.log"), func(e auditEvent) bool {
		return strings.HasPrefix(e.UserAgent, "penstock/") && slices.Contains(users, e.User.Username)
	})
	if err != nil {
		n.t.Fatalf("read the audit log: %v", err)
	}
	return requests
}

// Count sums requests up by verb and resource, as in "patch deployments": 3.
func Count(requests []Request) map[string]int {
	counts := map[string]int{}
	for _, r := range requests {
		counts[r.Verb+" "+r.Resource]++
	}
	return counts
}

// Since returns the requests that arrived at or after a moment.
func Since(requests []Request, moment time.Time) []Request {
	var later []Request
	for _, r := range requests {
		if !r.At.Before(moment) {
			later = append(later, r)
		}
	}
	return later
}

// readAudit reads the log as far as its lines are whole. A watch is logged twice, when it starts and when it ends; it
// counts once.
func readAudit(path string, wanted func(auditEvent) bool) ([]Request, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // nothing worth a line has happened
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var requests []Request
	index := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var event auditEvent
		if json.Unmarshal(lines.Bytes(), &event) != nil || !wanted(event) {
			continue // the last line may be half written
		}
		if at, seen := index[event.AuditID]; seen {
			requests[at] = event.request()
			continue
		}
		index[event.AuditID] = len(requests)
		requests = append(requests, event.request())
	}
	return requests, lines.Err()
}

func (e auditEvent) request() Request {
	r := Request{At: e.RequestReceivedTimestamp, Verb: e.Verb}
	if e.ObjectRef != nil {
		r.Resource, r.Name = e.ObjectRef.Resource, e.ObjectRef.Name
		if e.ObjectRef.Subresource != "" {
			r.Resource += "/" + e.ObjectRef.Subresource
		}
	} else {
		r.Resource, _, _ = strings.Cut(e.RequestURI, "?")
	}
	if e.ResponseStatus != nil {
		r.Code = e.ResponseStatus.Code
	}
	return r
}

// LogRequests prints the requests of a rollout by verb and resource.
func LogRequests(t testing.TB, requests []Request) {
	t.Helper()
	counts := Count(requests)
	t.Logf("%d API requests:", len(requests))
	for _, key := range sortedKeys(counts) {
		t.Logf("%5d %s", counts[key], key)
	}
}
