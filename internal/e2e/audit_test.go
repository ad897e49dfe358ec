package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestRequestsOfPenstockAreCountedPerNamespace(t *testing.T) {
	t.Parallel()
	ns, other := cluster.Namespace(t), cluster.Namespace(t)
	client := ns.client(t, "penstock/v1.2.3 (linux/amd64)")
	for range 3 {
		if _, err := client.AppsV1().Deployments(ns.Name).List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	watcher, err := client.CoreV1().Services(ns.Name).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	if _, err := client.Discovery().ServerVersion(); err != nil {
		t.Fatal(err)
	}
	if _, err := ns.client(t, "kubectl/v1").CoreV1().Pods(ns.Name).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	stop()
	want := map[string]int{"list deployments": 3, "watch services": 1, "get /version": 1}
	ns.Await("all requests to be in the audit log", func(context.Context) error {
		got := Count(ns.Requests())
		return unless(fmt.Sprint(got) == fmt.Sprint(want), "got %v, want %v", got, want)
	})
	if late := Count(Since(ns.Requests(), before)); late["list deployments"] != 0 || late["watch services"] != 1 {
		t.Errorf("since the watch: %v", late)
	}
	if got := other.Requests(); len(got) != 0 {
		t.Errorf("another namespace has %v", Count(got))
	}
	LogRequests(t, ns.Requests())
}

// client is one that the API server takes for a program of the namespace's administrator.
func (n *Namespace) client(t *testing.T, userAgent string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", n.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.UserAgent = userAgent
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
