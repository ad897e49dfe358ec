package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestTheProxyInjectsFaults(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	proxy := ns.Proxy()
	config, err := clientcmd.BuildConfigFromFlags("", proxy.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	list := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := client.CoreV1().ConfigMaps(ns.Name).List(ctx, metav1.ListOptions{})
		return err
	}
	if err := list(patience); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	for status, is := range map[int]func(error) bool{
		http.StatusConflict: apierrors.IsConflict, http.StatusTooManyRequests: apierrors.IsTooManyRequests,
		http.StatusInternalServerError: apierrors.IsInternalError, http.StatusForbidden: apierrors.IsForbidden,
	} {
		proxy.Inject(func(*http.Request) Fault { return Fault{Status: status} })
		if err := list(patience); !is(err) {
			t.Errorf("status %d is understood as %v", status, err)
		}
	}
	proxy.Inject(func(*http.Request) Fault { return Fault{Drop: true} })
	if err := list(patience); err == nil {
		t.Error("a dropped request was answered")
	}
	proxy.Inject(func(*http.Request) Fault { return Fault{Delay: time.Hour} })
	if err := list(50 * time.Millisecond); err == nil {
		t.Error("a delayed request was answered")
	}
}

func TestAWatchThroughTheProxyCanBeCut(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	proxy := ns.Proxy()
	config, err := clientcmd.BuildConfigFromFlags("", proxy.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := client.AppsV1().Deployments(ns.Name).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	ns.App("podinfo", "podinfo:1.0.0", 1)
	if event, ok := <-watcher.ResultChan(); !ok || event.Type != "ADDED" {
		t.Fatalf("the watch brings %v", event)
	}
	proxy.Cut()
	for range watcher.ResultChan() { // ends because the connection has
	}
}
