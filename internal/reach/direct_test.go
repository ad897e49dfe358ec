package reach

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// records is the DNS of a cluster.
type records map[string]*net.SRV

func (r records) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if found := r[name]; found != nil && service == "" && proto == "" {
		return name, []*net.SRV{found}, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func TestInTheClusterAPortHasANameToo(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+" "+r.URL.Path)
	}))
	t.Cleanup(s.Close)
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Mode: Direct, InCluster: true})
	if err != nil {
		t.Fatal(err)
	}
	r.names = records{"_web._tcp.podinfo.shop.svc": {Target: host, Port: uint16(number)}}
	client := &http.Client{Transport: r.Transport(&http.Transport{})}
	t.Cleanup(client.CloseIdleConnections)
	ask := func(url string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close() //nolint:errcheck // it is read to its end
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	for url, want := range map[string]string{
		"http://_web._tcp.podinfo.shop.svc/healthz": "podinfo.shop /healthz",
		"http://_web._tcp.podinfo.shop/healthz":     "podinfo.shop /healthz",
		s.URL + "/healthz":                          s.Listener.Addr().String() + " /healthz",
	} {
		if got, err := ask(url); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", url, got, err, want)
		}
	}
	// A load generator, which makes its own connections, is told where to make them.
	for hostport, want := range map[string]string{"_web._tcp.podinfo.shop.svc:80": s.Listener.Addr().String(), "podinfo.shop.svc:80": "podinfo.shop.svc:80"} {
		if got, err := r.Local(t.Context(), hostport); got != want || err != nil {
			t.Errorf("%s is at %q, %v; want %q", hostport, got, err, want)
		}
	}
	_, err = ask("http://_grpc._tcp.podinfo.shop.svc/")
	if known := (*Error)(nil); !errors.As(err, &known) || !strings.Contains(known.Error(), `Service "shop/podinfo": the DNS of the cluster knows no port "grpc" of it`) {
		t.Errorf("a port that is not there: %v", err)
	}
}
