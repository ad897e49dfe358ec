package reach

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

// fakeCluster is an API server with Services, and with the kubelets of their pods behind it.
type fakeCluster struct {
	*httptest.Server
	clock *clocktesting.FakeClock
	t     *testing.T

	mu        sync.Mutex
	services  map[string]*corev1.Service
	slices    map[string][]discoveryv1.EndpointSlice
	pods      map[string]string // by namespace/name:port, where its container listens
	forbidden map[string]bool   // parts of paths
	tunnels   []httpstream.Connection
	asked     map[string]int // by the last word of the path
	forwarded atomic.Int64   // streams
}

func newCluster(t *testing.T) *fakeCluster {
	t.Helper()
	c := &fakeCluster{
		t: t, clock: clocktesting.NewFakeClock(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)),
		services: map[string]*corev1.Service{}, slices: map[string][]discoveryv1.EndpointSlice{}, pods: map[string]string{},
		forbidden: map[string]bool{}, asked: map[string]int{},
	}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Server.Close)
	return c
}

// reach returns a Reach of a mode.
func (c *fakeCluster) reach(mode Mode) *Reach {
	c.t.Helper()
	r, err := New(Config{Cluster: &rest.Config{Host: c.URL}, Mode: mode, Clock: c.clock})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(r.Close)
	return r
}

// client returns a client that reaches the cluster's Services.
func (c *fakeCluster) client(r *Reach) *http.Client {
	t := r.Transport(&http.Transport{})
	client := &http.Client{Transport: t}
	c.t.Cleanup(client.CloseIdleConnections)
	return client
}

// serve makes a Service with one port, 80 (web), and a pod for each handler, which listens on 8080.
func (c *fakeCluster) serve(namespace, name string, handlers ...http.Handler) {
	c.t.Helper()
	c.mu.Lock()
	c.services[namespace+"/"+name] = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "web", Port: 80, Protocol: corev1.ProtocolTCP}}},
	}
	c.slices[namespace+"/"+name] = nil
	c.mu.Unlock()
	for i, handler := range handlers {
		c.pod(namespace, name, fmt.Sprintf("%s-%d", name, i), handler)
	}
}

// pod adds a ready pod to a Service.
func (c *fakeCluster) pod(namespace, service, name string, handler http.Handler) {
	c.t.Helper()
	server := httptest.NewServer(handler)
	c.t.Cleanup(server.Close)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods[namespace+"/"+name+":8080"] = server.Listener.Addr().String()
	c.slices[namespace+"/"+service] = append(c.slices[namespace+"/"+service], slice(name, true))
}

// slice is a slice with one pod.
func slice(pod string, ready bool) discoveryv1.EndpointSlice {
	port, name := int32(8080), "web"
	return discoveryv1.EndpointSlice{
		Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod},
		}},
	}
}

// lose breaks all tunnels, as the end of a pod does.
func (c *fakeCluster) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.tunnels {
		_ = one.Close()
	}
	c.tunnels = nil
}

func (c *fakeCluster) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[what]
}

func (c *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	words := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	c.mu.Lock()
	for part := range c.forbidden {
		if strings.Contains(r.URL.Path, part) {
			c.mu.Unlock()
			status(w, http.StatusForbidden, metav1.StatusReasonForbidden, part+" is forbidden: User \"ci\" may not")
			return
		}
	}
	c.mu.Unlock()
	switch {
	case len(words) == 6 && words[4] == "services":
		c.mu.Lock()
		c.asked["services"]++
		found := c.services[words[3]+"/"+words[5]]
		c.mu.Unlock()
		if found == nil {
			status(w, http.StatusNotFound, metav1.StatusReasonNotFound, words[5]+" not found")
			return
		}
		_ = json.NewEncoder(w).Encode(found)
	case words[len(words)-1] == "endpointslices":
		_, name, _ := strings.Cut(r.URL.Query().Get("labelSelector"), "=")
		c.mu.Lock()
		c.asked["endpointslices"]++
		list := discoveryv1.EndpointSliceList{Items: c.slices[words[4]+"/"+name]}
		c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(list)
	case words[len(words)-1] == "portforward":
		c.forward(w, r, words[3], words[5])
	case len(words) > 6 && words[6] == "proxy":
		c.proxied(w, r, words)
	default:
		http.NotFound(w, r)
	}
}

// forward is a kubelet: of the older protocol, which the API server has spoken for ten years.
func (c *fakeCluster) forward(w http.ResponseWriter, r *http.Request, namespace, pod string) {
	if r.Method != http.MethodPost {
		http.Error(w, "no WebSockets here", http.StatusMethodNotAllowed)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{protocol}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 1000)
	conn := streamspdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if conn == nil {
		return
	}
	c.mu.Lock()
	c.asked["portforward"]++
	c.tunnels = append(c.tunnels, conn)
	c.mu.Unlock()
	faults := map[string]httpstream.Stream{}
	for {
		select {
		case s := <-streams:
			request := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				faults[request] = s
				continue
			}
			c.forwarded.Add(1)
			go c.join(s, faults[request], namespace+"/"+pod+":"+s.Headers().Get(corev1.PortHeader))
		case <-conn.CloseChan():
			return
		}
	}
}

// join connects a stream with a container.
func (c *fakeCluster) join(data, fault httpstream.Stream, at string) {
	defer data.Close()  //nolint:errcheck // a test ends
	defer fault.Close() //nolint:errcheck // likewise
	c.mu.Lock()
	address := c.pods[at]
	c.mu.Unlock()
	to, err := net.Dial("tcp", address)
	if err != nil {
		_, _ = fmt.Fprintf(fault, "error forwarding port: dial tcp4 127.0.0.1:%s: connect: connection refused", at[strings.LastIndex(at, ":")+1:])
		return
	}
	defer to.Close() //nolint:errcheck // likewise
	go func() {
		_, _ = io.Copy(to, data)
		_ = to.Close()
	}()
	_, _ = io.Copy(data, to)
}

// proxied is the proxy of the API server: it leads to the first pod.
func (c *fakeCluster) proxied(w http.ResponseWriter, r *http.Request, words []string) {
	parts := strings.Split(words[5], ":")
	c.mu.Lock()
	slices := c.slices[words[3]+"/"+parts[0]]
	c.mu.Unlock()
	if len(slices) == 0 {
		status(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "no endpoints available for service \""+parts[0]+"\"")
		return
	}
	c.mu.Lock()
	address := c.pods[words[3]+"/"+slices[0].Endpoints[0].TargetRef.Name+":8080"]
	c.mu.Unlock()
	url := "http://" + address + "/" + strings.Join(words[7:], "/")
	if r.URL.RawQuery != "" {
		url += "?" + r.URL.RawQuery
	}
	req, _ := http.NewRequestWithContext(r.Context(), r.Method, url, r.Body)
	req.Header = r.Header
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		status(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "error trying to reach service: "+err.Error())
		return
	}
	defer resp.Body.Close() //nolint:errcheck // a test ends
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Named", words[5])
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

func status(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Reason: reason, Message: message, Code: int32(code), Details: &metav1.StatusDetails{Kind: "services", Name: message},
	})
}

// says answers with a text.
func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// get asks and returns the answer.
func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // a test ends
	body, err := io.ReadAll(resp.Body)
	return strconv.Itoa(resp.StatusCode) + " " + string(body), err
}
