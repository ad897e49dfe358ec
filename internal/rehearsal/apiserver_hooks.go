package rehearsal

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APIFault is what goes wrong with one request. The zero value lets it pass.
type APIFault struct {
	// Status is answered instead of doing what was asked.
	Status *metav1.Status
	// Hang leaves the request without an answer until the client gives up or the server ends.
	Hang bool
	// Drop closes the connection without doing what was asked.
	Drop bool
	// DropAnswer does what was asked and closes the connection without saying so.
	DropAnswer bool
}

// FaultConflict answers 409, as to a writer that came too late.
func FaultConflict(r APIRequest) APIFault {
	err := apierrors.NewConflict(r.Resource.GroupResource(), r.Name,
		fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
	return APIFault{Status: &err.ErrStatus}
}

// FaultTooManyRequests answers 429 and asks the client to wait; after is rounded down to seconds.
func FaultTooManyRequests(after time.Duration) APIFault {
	err := apierrors.NewTooManyRequests("Too many requests, please try again later.", int(after.Seconds()))
	return APIFault{Status: &err.ErrStatus}
}

// FaultInternal answers 500.
func FaultInternal(message string) APIFault {
	err := apierrors.NewInternalError(fmt.Errorf("%s", message))
	return APIFault{Status: &err.ErrStatus}
}

// apiHooks are what tests have put in the way of requests.
type apiHooks struct {
	intercept func(APIRequest) APIFault
	deny      func(APIRequest) bool
}

// Intercept asks f about every request for a resource before it is served; nil ends that. f is called concurrently.
func (a *API) Intercept(f func(APIRequest) APIFault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks.intercept = f
}

// Deny forbids the requests for which f is true, and answers reviews of access accordingly; nil allows everything.
// f is called concurrently.
func (a *API) Deny(f func(APIRequest) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks.deny = f
}

// Requests returns how many requests came over HTTP so far, by verb and resource, such as "patch deployments/scale".
func (a *API) Requests() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.requests)
}

// Watches returns how many watches are open now.
func (a *API) Watches() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.watches
}

// countWatch adds to the open watches.
func (a *API) countWatch(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watches += n
}

// admit counts a request and returns the hooks that apply to it.
func (a *API) admit(r APIRequest) apiHooks {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests[r.key()]++
	return a.hooks
}

// fail does to a request what the fault says, and reports whether that was the end of it.
func (f APIFault) fail(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case f.Hang:
		// The server notices that a client has gone only once it has read the body.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Status != nil:
		writeStatus(w, *f.Status)
		return true
	}
	return false
}

func (h apiHooks) denied(r APIRequest) bool { return h.deny != nil && h.deny(r) }

// forbidden is the answer to a request that the user may not make.
func forbidden(r APIRequest) error {
	scope := "at the cluster scope"
	if r.Namespace != "" {
		scope = fmt.Sprintf("in the namespace %q", r.Namespace)
	}
	message := fmt.Sprintf("User %q cannot %s resource %q in API group %q %s", r.User, r.Verb, r.full(), r.Resource.Group, scope)
	return apierrors.NewForbidden(r.Resource.GroupResource(), r.Name, errors.New(message))
}
