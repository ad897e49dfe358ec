package reach

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestAServiceIsReachedByItsNames(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.URL.RequestURI())
	}))
	for mode, host := range map[Mode]bool{PortForward: true, ServiceProxy: false} {
		client := c.client(c.reach(mode))
		for url, want := range map[string]string{
			"http://web.shop/a?b=c":                           "GET web.shop /a?b=c",
			"http://web.shop:80/":                             "GET web.shop:80 /",
			"http://web.shop.svc/a%2Fb":                       "GET web.shop.svc /a%2Fb",
			"http://web.shop.svc.cluster.local":               "GET web.shop.svc.cluster.local /",
			"http://_web._tcp.web.shop.svc.cluster.local/x/y": "GET web.shop /x/y",
		} {
			got, err := get(t, client, url)
			if err != nil {
				t.Fatalf("%s: %s: %v", mode, url, err)
			}
			if !host { // the proxy of the API server has its own idea of Host, and the fake decodes paths
				got, want = strings.Fields(got)[0], "200"
			} else {
				want = "200 " + want
			}
			if got != want {
				t.Errorf("%s: %s: %q, want %q", mode, url, got, want)
			}
		}
	}
}

func TestOneTunnelServesAllConnectionsToAPod(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	client := c.client(c.reach(PortForward))
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			text := strings.Repeat(fmt.Sprintf("%d ", i), 20_000)
			resp, err := client.Post("http://web.shop/", "text/plain", strings.NewReader(text)) //nolint:noctx // bounded by the test
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close() //nolint:errcheck // a test ends
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != text {
				t.Errorf("request %d: %d bytes came back, %v; want its own %d", i, len(got), err, len(text))
			}
		})
	}
	all.Wait()
	if got := c.count("portforward"); got != 1 {
		t.Errorf("%d tunnels, want 1", got)
	}
	if got := c.forwarded.Load(); got < 1 || got > 40 {
		t.Errorf("%d streams, want between 1 and 40", got)
	}
}

func TestEveryReadyPodHasItsTurn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", says("a"), says("b"), says("c"))
	c.mu.Lock()
	c.slices["shop/web"] = append(c.slices["shop/web"], slice("broken", false))
	c.mu.Unlock()
	r := c.reach(PortForward)
	client := &http.Client{Transport: r.Transport(&http.Transport{DisableKeepAlives: true})}
	seen := map[string]int{}
	for range 9 {
		got, err := get(t, client, "http://web.shop/")
		if err != nil {
			t.Fatal(err)
		}
		seen[got]++
	}
	if seen["200 a"] != 3 || seen["200 b"] != 3 || seen["200 c"] != 3 {
		t.Errorf("answers %v, want three of each", seen)
	}
}

func TestALostTunnelIsMadeAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", says("old"))
	client := c.client(c.reach(PortForward))
	if got, err := get(t, client, "http://web.shop/"); err != nil || got != "200 old" {
		t.Fatalf("%q, %v", got, err)
	}
	c.pod("shop", "web", "new", says("new"))
	c.mu.Lock()
	c.slices["shop/web"] = c.slices["shop/web"][1:]
	delete(c.pods, "shop/web-0:8080")
	c.mu.Unlock()
	c.clock.Step(keepPods)
	c.lose()
	got, err := get(t, client, "http://web.shop/")
	if err != nil { // the request was on its way when the connection ended: the next one must find the new pod
		got, err = get(t, client, "http://web.shop/")
	}
	if err != nil || got != "200 new" {
		t.Errorf("%q, %v; want the pod that has taken the place of the other", got, err)
	}
	if n := c.count("portforward"); n != 2 {
		t.Errorf("%d tunnels, want 2", n)
	}
}

func TestErrorsSayWhatIsWrongWithTheService(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "empty")
	c.serve("shop", "starting")
	c.serve("shop", "deaf", says("x"))
	c.serve("shop", "bare")
	c.serve("locked", "web", says("x"))
	c.serve("closed", "web", says("x"))
	c.mu.Lock()
	c.slices["shop/starting"] = []discoveryv1.EndpointSlice{slice("a", false), slice("b", false)}
	delete(c.pods, "shop/deaf-0:8080")
	bare := slice("a", true)
	bare.Endpoints[0].TargetRef = nil
	c.slices["shop/bare"] = []discoveryv1.EndpointSlice{bare}
	c.forbidden["/namespaces/locked/services"] = true
	c.forbidden["/namespaces/closed/pods"] = true
	c.forbidden["/namespaces/closed/services/web:80/proxy"] = true
	c.mu.Unlock()
	for _, one := range []struct {
		mode    Mode
		url     string
		want    string
		passing bool
	}{
		{PortForward, "http://nobody.shop.svc", `Service "shop/nobody": there is no such Service in the cluster`, true},
		{PortForward, "http://empty.shop", `Service "shop/empty": it exists, but it has no endpoints`, true},
		{PortForward, "http://starting.shop", `Service "shop/starting": it exists, but none of its 2 endpoints is ready`, true},
		{PortForward, "http://bare.shop", `none of its ready endpoints is a pod`, false},
		{PortForward, "http://web.locked.svc", `this run may not read Services in namespace "locked"; 'penstock render rbac'`, false},
		{PortForward, "http://web.closed.svc", `this run may not forward ports of pods in namespace "closed"; 'penstock render rbac'`, false},
		{PortForward, "http://empty.shop:9090", `Service "shop/empty": it has no TCP port 9090; it has 80 (web)`, false},
		{PortForward, "http://deaf.shop", `port 8080 of pod "shop/deaf-0": connection refused; does the container listen on it?`, true},
		{ServiceProxy, "http://empty.shop", `Service "shop/empty": it exists, but it has no ready endpoints`, true},
		{ServiceProxy, "http://web.closed", `may not use the proxy of the API server`, false},
		{ServiceProxy, "http://user:word@deaf.shop", `passes none on; use --reach port-forward`, false},
	} {
		_, err := get(t, c.client(c.reach(one.mode)), one.url)
		if err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %s: %v\nwant %q", one.mode, one.url, err, one.want)
			continue
		}
		if passing := temporary(err); passing != one.passing {
			t.Errorf("%s: %s: worth another try %v, want %v: %v", one.mode, one.url, passing, one.passing, err)
		}
	}
}

func TestWhatIsNoServiceIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.mu.Lock()
	c.forbidden["/namespaces/org/"] = true
	c.mu.Unlock()
	outside := httptest.NewServer(says("outside"))
	defer outside.Close()
	r := c.reach(PortForward)
	base := &http.Transport{DialContext: r.direct.DialContext}
	port := outside.URL[strings.LastIndex(outside.URL, ":"):]
	base.Proxy = http.ProxyURL(mustURL(t, outside.URL)) // which answers for every host
	client := &http.Client{Transport: r.Transport(base)}
	for _, url := range []string{outside.URL, "http://localhost" + port, "http://example.com/", "http://example.org/", "http://www.example.com/"} {
		for range 3 {
			if got, err := get(t, client, url); err != nil || got != "200 outside" {
				t.Errorf("%s: %q, %v", url, got, err)
			}
		}
	}
	if n := c.count("services"); n != 1 {
		t.Errorf("the cluster was asked %d times for Services, want once, for example.com (and once in vain)", n)
	}
}

func TestAnExternalNameLeadsThere(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	defer outside.Close()
	port := outside.URL[strings.LastIndex(outside.URL, ":"):]
	c.serve("shop", "db")
	c.mu.Lock()
	c.services["shop/db"].Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "127.0.0.1"}
	c.mu.Unlock()
	for _, mode := range []Mode{PortForward, ServiceProxy} {
		if got, err := get(t, c.client(c.reach(mode)), "http://db.shop"+port); err != nil || got != "200 db.shop"+port {
			t.Errorf("%s: %q, %v; want what listens there", mode, got, err)
		}
	}
}

func TestALocalPortLeadsToAService(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", says("hello"))
	for _, mode := range []Mode{PortForward, ServiceProxy} {
		r := c.reach(mode)
		at, err := r.Local(t.Context(), "web.shop:80")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.Local(t.Context(), "web.shop:80"); err != nil || again != at {
			t.Errorf("%s: the second time %q, %v; want %q", mode, again, err, at)
		}
		for range 3 {
			if got, err := get(t, http.DefaultClient, "http://"+at); err != nil || got != "200 hello" {
				t.Errorf("%s: %q, %v", mode, got, err)
			}
		}
		if other, err := r.Local(t.Context(), "www.example.com:80"); err != nil || other != "www.example.com:80" {
			t.Errorf("%s: another host is %q, %v", mode, other, err)
		}
		r.Close()
		if _, err := get(t, http.DefaultClient, "http://"+at); err == nil {
			t.Errorf("%s: the local port still answers after Close", mode)
		}
	}
}

func TestAnswersAreRememberedForAWhile(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", says("x"))
	r := c.reach(PortForward)
	client := &http.Client{Transport: r.Transport(&http.Transport{DisableKeepAlives: true})}
	for range 5 {
		if _, err := get(t, client, "http://web.shop/"); err != nil {
			t.Fatal(err)
		}
	}
	if s, e := c.count("services"), c.count("endpointslices"); s != 1 || e != 1 {
		t.Errorf("asked %d times for the Service and %d times for its pods, want once each", s, e)
	}
	c.clock.Step(time.Minute)
	if _, err := get(t, client, "http://web.shop/"); err != nil {
		t.Fatal(err)
	}
	if s, e := c.count("services"), c.count("endpointslices"); s != 2 || e != 2 {
		t.Errorf("a minute later asked %d times for the Service and %d times for its pods, want twice each", s, e)
	}
}

func TestTheProxyOfTheAPIServerRefusesAnotherHost(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.serve("shop", "web", says("x"))
	for mode, want := range map[Mode]string{
		PortForward:  "",
		ServiceProxy: `Service "shop/web": it is asked for the host "app.example.com", and the proxy of the API server passes no Host header on; use --reach port-forward`,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web.shop/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "app.example.com"
		resp, err := c.client(c.reach(mode)).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
