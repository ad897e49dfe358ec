package reach

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Error says why a Service was not reached, in words for those who operate it.
type Error struct {
	Service Service
	Message string
	Passing bool // a little later it may be reached
	cause   error
}

// Error names the Service.
func (e *Error) Error() string { return fmt.Sprintf("Service %q: %s", e.Service, e.Message) }

// Temporary reports whether it is worth while to try again.
func (e *Error) Temporary() bool { return e.Passing }

// Unwrap returns the cause; nil when the cluster is as it was found to be.
func (e *Error) Unwrap() error { return e.cause }

// unasked is the error of a question to the API server that has no answer.
func unasked(s Service, resource string, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Service: s, Message: "the API server did not say in time what its " + resource + " are", Passing: true, cause: err}
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return &Error{Service: s, Message: fmt.Sprintf("this run may not read %s in namespace %q; "+
			"'penstock render rbac' prints the Role that lets it", resource, s.Namespace), cause: err}
	}
	return &Error{Service: s, Message: "ask the API server for its " + resource + ": " + err.Error(), Passing: true, cause: err}
}

// shown cuts what a server said to one line.
func shown(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		return strings.ToValidUTF8(text[:300], "") + "..."
	}
	return text
}

// forbidden reports whether the API server refuses by its permissions. The older way of asking has no more than a text.
func forbidden(err error) bool {
	return apierrors.IsForbidden(err) || strings.Contains(err.Error(), "is forbidden: ") || strings.Contains(err.Error(), "403 Forbidden")
}
