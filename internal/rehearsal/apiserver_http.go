package rehearsal

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxRequestBytes is the largest body that an API server takes.
const maxRequestBytes = 3 << 20

// ServeHTTP answers as a Kubernetes API server does.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
	request, ok := parseRequest(r)
	if !ok {
		a.serveDiscovery(w, r)
		return
	}
	hooks := a.admit(request)
	var fault APIFault
	if hooks.intercept != nil {
		fault = hooks.intercept(request)
	}
	if fault.fail(w, r) {
		return
	}
	if fault.DropAnswer {
		w = silent{w}
	}
	a.serve(w, request, hooks)
	if fault.DropAnswer {
		panic(http.ErrAbortHandler)
	}
}

// silent swallows an answer.
type silent struct{ http.ResponseWriter }

func (silent) Write(p []byte) (int, error) { return len(p), nil }
func (silent) WriteHeader(int)             {}

// serve does what an admitted request asks.
func (a *API) serve(w http.ResponseWriter, r APIRequest, hooks apiHooks) {
	if isAccessReview(r) {
		answer(w, http.StatusCreated)(reviewAccess(r, hooks))
		return
	}
	if isSelfReview(r) {
		writeJSON(w, http.StatusCreated, reviewSelf(r))
		return
	}
	k, err := a.kindOf(r.Resource)
	if err == nil && r.Namespace == "" && k.Namespaced && (r.Name != "" || r.Verb == "create") {
		err = notServed()
	}
	if err == nil && !k.serves(r) {
		err = notServed()
	}
	if err == nil && hooks.denied(r) {
		err = forbidden(r)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	switch r.Verb {
	case "get":
		answer(w, http.StatusOK)(a.serveGet(k, r))
	case "list":
		answer(w, http.StatusOK)(a.serveList(k, r))
	case "watch":
		a.serveWatch(w, k, r)
	case "create":
		answer(w, http.StatusCreated)(a.serveCreate(k, r))
	case "update":
		answer(w, http.StatusOK)(a.serveUpdate(k, r))
	case "patch":
		object, created, err := a.servePatch(k, r)
		code := http.StatusOK
		if created {
			code = http.StatusCreated
		}
		answer(w, code)(object, err)
	case "delete":
		answer(w, http.StatusOK)(a.serveDelete(k, r))
	case "deletecollection":
		answer(w, http.StatusOK)(a.serveDeleteCollection(k, r))
	}
}

// serves says whether the kind has the subresource that is asked for, with that verb.
func (k *apiKind) serves(r APIRequest) bool {
	changes := r.Verb == "get" || r.Verb == "update" || r.Verb == "patch"
	switch r.Subresource {
	case "":
		return r.Name != "" || !changes
	case "status":
		return k.Status && changes
	case "scale":
		return k.Scale && changes
	}
	return false
}

// answer returns a function that writes an object with the code, or the error.
func answer(w http.ResponseWriter, code int) func(object any, err error) {
	return func(object any, err error) {
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, code, object)
	}
}

func writeJSON(w http.ResponseWriter, code int, object any) {
	data, err := json.Marshal(object)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(code)
	// A client that has gone away needs no answer.
	_, _ = w.Write(data)
}

func writeError(w http.ResponseWriter, err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	writeStatus(w, status.Status())
}

func writeStatus(w http.ResponseWriter, status metav1.Status) {
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	status.Status = metav1.StatusFailure
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	writeJSON(w, int(status.Code), status)
}

func statusOf(code int32, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{}}
}
