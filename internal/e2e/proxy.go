package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// A Fault is what befalls a request on its way to the API server. The zero value lets it through.
type Fault struct {
	Delay      time.Duration // before anything else
	Status     int           // answered in place of the API server, with a Kubernetes Status; 0 asks the API server
	RetryAfter int           // seconds that the answer asks the client to wait
	Drop       bool          // the connection ends without an answer

	// Answered is called with what the API server has said, before the client hears of it. When it returns false, the
	// client never does: the connection ends. It is nil, or takes the place of passing the answer on as it comes.
	Answered func(status int, body []byte) bool
}

// A Proxy stands between penstock and the API server and injects faults.
type Proxy struct {
	// Kubeconfig is the path of a file that leads through the proxy, as the namespace's administrator.
	Kubeconfig string

	server *httptest.Server
	next   http.Handler
	mu     sync.Mutex
	judge  func(*http.Request) Fault
	skew   time.Duration
}

// Proxy starts a proxy, without faults so far, that lives as long as the test.
func (n *Namespace) Proxy() *Proxy {
	n.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", n.Kubeconfig())
	if err != nil {
		n.t.Fatalf("read the kubeconfig for the proxy: %v", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		n.t.Fatalf("connect the proxy: %v", err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		n.t.Fatalf("connect the proxy: %v", err)
	}
	p := &Proxy{
		Kubeconfig: filepath.Join(n.t.TempDir(), "proxy.kubeconfig"),
		judge:      func(*http.Request) Fault { return Fault{} },
		next: &httputil.ReverseProxy{
			Transport: transport,
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.Out.Header.Del("Accept-Encoding") // the transport asks for compression by itself, and undoes it
			},
			FlushInterval: -1, // a watch's events pass at once
		},
	}
	p.server = httptest.NewServer(p)
	n.t.Cleanup(func() {
		p.Cut()
		p.server.Close()
	})
	through := api.NewConfig()
	through.Clusters["e2e"] = &api.Cluster{Server: p.server.URL}
	through.Contexts["e2e"] = &api.Context{Cluster: "e2e", Namespace: n.Name}
	through.CurrentContext = "e2e"
	if err := (kubeconfig{through}).save(p.Kubeconfig); err != nil {
		n.t.Fatal(err)
	}
	return p
}

// Inject has every request from now on judged. Judge is called from several goroutines.
func (p *Proxy) Inject(judge func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = judge
}

// Cut ends all connections, watches included. Clients may connect again.
func (p *Proxy) Cut() { p.server.CloseClientConnections() }

// ServeHTTP passes a request on to the API server unless a fault befalls it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	judge, skew := p.judge, p.skew
	p.mu.Unlock()
	if skew != 0 {
		later := &shifter{to: w, by: -skew}
		defer later.flush()
		w, r.Body = later, shifted(r.Body, skew)
	}
	fault := judge(r)
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case fault.Drop:
		panic(http.ErrAbortHandler) // the only way to end a connection without an answer; the server expects it
	case fault.Status != 0:
		answer(w, r, fault)
	case fault.Answered != nil:
		p.relay(w, r, fault.Answered)
	default:
		p.next.ServeHTTP(w, r)
	}
}

// relay passes an answer on once it is whole, if it may be.
func (p *Proxy) relay(w http.ResponseWriter, r *http.Request, may func(status int, body []byte) bool) {
	whole := httptest.NewRecorder()
	p.next.ServeHTTP(whole, r)
	if !may(whole.Code, whole.Body.Bytes()) {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()) // the client may be gone
}

// answer writes the Status that the API server gives with such a code.
func answer(w http.ResponseWriter, r *http.Request, fault Fault) {
	status := apierrors.NewGenericServerResponse(fault.Status, r.Method, schema.GroupResource{}, "", "injected fault", fault.RetryAfter, true).Status()
	status.Kind, status.APIVersion = "Status", "v1"
	text, err := json.Marshal(status)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(fault.Status)
	_, _ = w.Write(text) // the client may be gone
}
