package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// A kubelet forwards the ports of pods, on a node of a namespace's own that takes no other pods. All else of the node is
// kwok's.
type kubelet struct {
	n    *Namespace
	node string

	mu      sync.Mutex
	pods    map[string]string // by name, where their only port listens
	tunnels int
}

func newKubelet(n *Namespace) *kubelet {
	n.t.Helper()
	k := &kubelet{n: n, node: "kubelet-" + n.Name, pods: map[string]string{}}
	server := httptest.NewTLSServer(k)
	n.t.Cleanup(server.CloseClientConnections)
	port := int32(server.Listener.Addr().(*net.TCPAddr).Port)
	nodes := n.cluster.Kube.CoreV1().Nodes()
	_, err := nodes.Create(n.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: k.node}, Spec: corev1.NodeSpec{Unschedulable: true}}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create node: %v", err)
	}
	n.t.Cleanup(func() { _ = nodes.Delete(context.WithoutCancel(n.t.Context()), k.node, metav1.DeleteOptions{}) })
	n.Await("the API server to know the kubelet", func(ctx context.Context) error {
		node, err := nodes.Get(ctx, k.node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := unless(nodeReady(node), "kwok has not made it ready"); err != nil {
			return err
		}
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}, {Type: corev1.NodeHostName, Address: "127.0.0.1"}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = port
		_, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{})
		return err
	})
	return k
}

// serve makes a Service with one pod, whose port is forwarded to a server of the test.
func (k *kubelet) serve(name string, port int32, to string) {
	k.n.t.Helper()
	labels := map[string]string{"app": name}
	core := k.n.cluster.Kube.CoreV1()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name + "-0", Labels: labels}, Spec: corev1.PodSpec{
		NodeName:   k.node,
		Containers: []corev1.Container{{Name: name, Image: name + ":1", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}},
	}}
	k.mu.Lock()
	k.pods[pod.Name] = strings.TrimPrefix(to, "http://")
	k.mu.Unlock()
	if _, err := core.Pods(k.n.Name).Create(k.n.t.Context(), pod, metav1.CreateOptions{}); err != nil {
		k.n.t.Fatalf("create pod: %v", err)
	}
	_, err := core.Services(k.n.Name).Create(k.n.t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
		Selector: labels, Ports: []corev1.ServicePort{{Name: "web", Port: port, TargetPort: intstr.FromString("web")}},
	}}, metav1.CreateOptions{})
	if err != nil {
		k.n.t.Fatalf("create service: %v", err)
	}
	k.n.Await("Service "+name+" to have a ready endpoint", func(ctx context.Context) error {
		slices, err := k.n.cluster.Kube.DiscoveryV1().EndpointSlices(k.n.Name).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + name})
		if err != nil {
			return err
		}
		for _, slice := range slices.Items {
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready != nil && *e.Conditions.Ready {
					return nil
				}
			}
		}
		return fmt.Errorf("%d slices, none with a ready endpoint", len(slices.Items))
	})
}

func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	words := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(words) < 3 || words[0] != "portForward" || words[1] != k.n.Name {
		http.NotFound(w, r)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 1000)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if conn == nil {
		return
	}
	k.mu.Lock()
	k.tunnels++
	to := k.pods[words[2]]
	k.mu.Unlock()
	faults := map[string]httpstream.Stream{}
	for {
		select {
		case s := <-streams:
			request := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				faults[request] = s
				continue
			}
			go forward(s, faults[request], to)
		case <-conn.CloseChan():
			return
		}
	}
}

// forward connects a stream with a server.
func forward(data, fault httpstream.Stream, address string) {
	defer data.Close()
	defer fault.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintf(fault, "dial %s: connection refused", address)
		return
	}
	defer to.Close()
	go func() {
		io.Copy(to, data)
		to.Close()
	}()
	io.Copy(data, to)
}

// podAt makes a pod that has an address of this machine.
func (n *Namespace) podAt(name, ip string) {
	n.t.Helper()
	pods := n.cluster.Kube.CoreV1().Pods(n.Name)
	_, err := pods.Create(n.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		NodeName: "node-1", Containers: []corev1.Container{{Name: "server", Image: "server:1"}},
	}}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create pod: %v", err)
	}
	n.Await("pod "+name+" to have the address "+ip, func(ctx context.Context) error {
		pod, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := unless(pod.Status.Phase == corev1.PodRunning, "it is %s", pod.Status.Phase); err != nil || pod.Status.PodIP == ip {
			return err
		}
		pod.Status.PodIP, pod.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
		_, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err
	})
}

// outside makes a Service whose pod is a server of the test, at an address of this machine: the proxy of the API server
// calls no loopback address, and nothing but pods.
func (n *Namespace) outside(name string, port int32, to string) {
	n.t.Helper()
	ip := machineAddress(n.t)
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				conn, err := net.Dial("tcp", strings.TrimPrefix(to, "http://"))
				if err != nil {
					return
				}
				defer conn.Close()
				go func() {
					io.Copy(conn, from)
					conn.Close()
				}()
				io.Copy(from, conn)
			}()
		}
	}()
	core := n.cluster.Kube.CoreV1()
	_, err = core.Services(n.Name).Create(n.t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "web", Port: port}},
	}}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create service: %v", err)
	}
	n.podAt(name+"-0", ip)
	at := int32(listener.Addr().(*net.TCPAddr).Port)
	web := "web"
	_, err = n.cluster.Kube.DiscoveryV1().EndpointSlices(n.Name).Create(n.t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{ip}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: n.Name, Name: name + "-0"},
		}},
		Ports: []discoveryv1.EndpointPort{{Name: &web, Port: &at}},
	}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create endpoints: %v", err)
	}
}

// machineAddress is an address of this machine that is not of the loopback interface.
func machineAddress(t testing.TB) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but that of its loopback interface, which the API server's proxy does not call")
	return ""
}
