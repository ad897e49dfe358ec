package reach

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// mostAnswer is how many bytes of an answer of the API server are read. A Service with a thousand pods has some ten slices
// of 100 KiB.
const mostAnswer = 32 << 20

// api reads from the API server what it takes to find a pod of a Service.
type api struct {
	http    *http.Client
	address string // without a slash at the end
}

func newAPI(config *rest.Config) (*api, error) {
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("read the address of the cluster: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", config.Host, err)
	}
	if client.Transport == nil { // as the client of a configuration without anything special has it
		client = &http.Client{Transport: http.DefaultTransport}
	}
	return &api{http: client, address: strings.TrimSuffix(server.String(), "/")}, nil
}

// service returns a Service, or nil when there is none.
func (a *api) service(ctx context.Context, s Service) (*corev1.Service, error) {
	var found corev1.Service
	err := a.get(ctx, "/api/v1/namespaces/"+s.Namespace+"/services/"+s.Name, &found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// slices returns where the pods of a Service are.
func (a *api) slices(ctx context.Context, s Service) ([]discoveryv1.EndpointSlice, error) {
	var found discoveryv1.EndpointSliceList
	query := url.Values{"labelSelector": {discoveryv1.LabelServiceName + "=" + s.Name}}
	err := a.get(ctx, "/apis/discovery.k8s.io/v1/namespaces/"+s.Namespace+"/endpointslices?"+query.Encode(), &found)
	return found.Items, err
}

func (a *api) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or its error is returned
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode, body)
	}
	return json.Unmarshal(body, into)
}

// statusError reads how the API server says no.
func statusError(code int, body []byte) error {
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" && status.Status == metav1.StatusFailure {
		return &apierrors.StatusError{ErrStatus: status}
	}
	return apierrors.NewGenericServerResponse(code, "get", corev1.Resource("services"), "", "", 0, true)
}
