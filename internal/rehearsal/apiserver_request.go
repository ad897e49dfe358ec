package rehearsal

import (
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// APIRequest is a request as the API understands it.
type APIRequest struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb        string
	Resource    schema.GroupVersionResource
	Subresource string
	Namespace   string
	Name        string
	User        string
	// HTTP is the request itself. It is nil for a question about permissions. Its body must not be read.
	HTTP *http.Request
}

// key is how requests are counted, such as "patch deployments/scale".
func (r APIRequest) key() string { return r.Verb + " " + r.full() }

// full is the resource with its subresource.
func (r APIRequest) full() string {
	if r.Subresource == "" {
		return r.Resource.Resource
	}
	return r.Resource.Resource + "/" + r.Subresource
}

// defaultUser is who a request comes from that impersonates nobody.
const defaultUser = "rehearsal"

// parseRequest reads what a request is about from its path. It is false for a path outside the resources.
func parseRequest(r *http.Request) (APIRequest, bool) {
	request := APIRequest{HTTP: r, User: defaultUser}
	if user := r.Header.Get("Impersonate-User"); user != "" {
		request.User = user
	}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(segments) > 2 && segments[0] == "api":
		request.Resource.Version = segments[1]
		segments = segments[2:]
	case len(segments) > 3 && segments[0] == "apis":
		request.Resource.Group, request.Resource.Version = segments[1], segments[2]
		segments = segments[3:]
	default:
		return request, false
	}
	if segments[0] == "namespaces" && len(segments) > 2 && !slices.Contains([]string{"status", "finalize"}, segments[2]) {
		request.Namespace = segments[1]
		segments = segments[2:]
	}
	if len(segments) > 3 {
		return request, false
	}
	segments = append(segments, "", "")
	request.Resource.Resource, request.Name, request.Subresource = segments[0], segments[1], segments[2]
	request.Verb = verbOf(r, request.Name)
	return request, request.Verb != ""
}

func verbOf(r *http.Request, name string) string {
	watching := r.URL.Query().Get("watch")
	switch {
	case r.Method == http.MethodGet && (watching == "true" || watching == "1"):
		return "watch"
	case r.Method == http.MethodGet && name != "":
		return "get"
	case r.Method == http.MethodGet:
		return "list"
	case r.Method == http.MethodPost:
		return "create"
	case r.Method == http.MethodPut:
		return "update"
	case r.Method == http.MethodPatch:
		return "patch"
	case r.Method == http.MethodDelete && name != "":
		return "delete"
	case r.Method == http.MethodDelete:
		return "deletecollection"
	}
	return ""
}
