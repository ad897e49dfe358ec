package reach

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// mostStatus is how many bytes of what the API server says in the Service's stead are read.
const mostStatus = 64 << 10

// proxy sends a request through the API server, which reaches a Service from within its network.
func (r *Reach) proxy(req *http.Request, p Place, s *corev1.Service) (*http.Response, error) {
	if _, err := portOf(s, p.Port); err != nil {
		r.book.forget(p.Service)
		return nil, refuse(req, err)
	}
	if req.Header.Get("Authorization") != "" {
		return nil, refuse(req, &Error{Service: p.Service, Message: "it is asked with credentials, and the proxy of the API server takes those " +
			"for its own and passes none on; use --reach port-forward"})
	}
	if host, _, _ := strings.Cut(req.Host, ":"); host != "" && host != req.URL.Hostname() {
		return nil, refuse(req, &Error{Service: p.Service, Message: "it is asked for the host " + strconv.Quote(host) + ", and the proxy of the API " +
			"server passes no Host header on; use --reach port-forward"})
	}
	to, err := r.proxied(req, p)
	if err != nil {
		return nil, refuse(req, err)
	}
	resp, err := r.api.http.Transport.RoundTrip(to)
	if err != nil {
		return nil, err
	}
	resp.Request = req
	return r.answered(resp, p)
}

// proxied returns the request as the API server wants it. It names the port as the URL does: a Role that allows one port
// of a Service has that name, and who writes it knows no more than the URL.
func (r *Reach) proxied(req *http.Request, p Place) (*http.Request, error) {
	name := p.Name + ":" + p.Port
	if req.URL.Scheme == "https" {
		name = "https:" + name
	}
	path := req.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	at, err := url.Parse(r.api.address + "/api/v1/namespaces/" + p.Namespace + "/services/" + name + "/proxy" + path)
	if err != nil {
		return nil, err
	}
	at.RawQuery = req.URL.RawQuery
	to := req.Clone(req.Context())
	to.URL, to.Host, to.RequestURI = at, "", ""
	return to, nil
}

// answered tells an answer of the API server itself from one of the Service.
func (r *Reach) answered(resp *http.Response, p Place) (*http.Response, error) {
	switch resp.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusBadRequest, http.StatusInternalServerError, http.StatusGatewayTimeout:
	default:
		return resp, nil
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return resp, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostStatus))
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	said := statusError(resp.StatusCode, body)
	status, own := said.(apierrors.APIStatus)
	if !own || !bytes.Contains(body, []byte(`"kind":"Status"`)) || !ours(status, p) {
		resp.Body = &rejoined{Reader: io.MultiReader(bytes.NewReader(body), resp.Body), Closer: resp.Body}
		return resp, nil
	}
	_ = resp.Body.Close()
	if apierrors.IsForbidden(said) || apierrors.IsUnauthorized(said) {
		return nil, &Error{Service: p.Service, Message: "this run may not use the proxy of the API server for it; " +
			"'penstock render rbac --reach service-proxy' prints the Role that lets it", cause: said}
	}
	message := shown(said.Error())
	if strings.Contains(message, "no endpoints available") {
		message = "it exists, but it has no ready endpoints"
	}
	return nil, &Error{Service: p.Service, Message: message, Passing: true, cause: said}
}

// ours reports whether a status is about the way to the Service: one that the Service itself has sent, being an API of
// Kubernetes too, is about something else.
func ours(status apierrors.APIStatus, p Place) bool {
	s := status.Status()
	if strings.Contains(s.Message, "no endpoints available for service") || strings.Contains(s.Message, "error trying to reach service") {
		return true
	}
	return s.Details != nil && s.Details.Kind == "services" && strings.Contains(s.Details.Name, p.Name)
}

// rejoined is a body whose beginning was read.
type rejoined struct {
	io.Reader
	io.Closer
}
