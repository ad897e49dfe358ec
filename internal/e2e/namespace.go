package e2e

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
)

type resourceClient = dynamic.ResourceInterface

// A Namespace is a test's part of the cluster. Its methods fail the test rather than return an error.
type Namespace struct {
	Name string

	t       testing.TB
	cluster *Cluster
	home    string
	allowed map[grant]bool // what the API server is known to go by
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace makes a namespace named after the test, and deletes it when the test ends.
func (c *Cluster) Namespace(t testing.TB) *Namespace {
	t.Helper()
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-")
	if len(name) > 40 {
		name = name[:40]
	}
	created, err := c.Kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create namespace %s: %v", name, err)
	}
	n := &Namespace{Name: created.Name, t: t, cluster: c, home: t.TempDir(), allowed: map[grant]bool{}}
	t.Cleanup(func() {
		err := c.Kube.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), n.Name, metav1.DeleteOptions{})
		if err != nil {
			t.Errorf("delete namespace %s: %v", n.Name, err)
		}
	})
	n.save(filepath.Join(n.home, ".kube", "config"), n.admin(), "system:masters")
	return n
}

func (n *Namespace) admin() string { return "e2e-admin:" + n.Name }

func (n *Namespace) user() string { return "e2e-user:" + n.Name }

// server is the user that penstock serve is in the tests.
func (n *Namespace) server() string { return "e2e-server:" + n.Name }

// Kubeconfig returns the path of a file whose user may do everything and whose context names this namespace. Penstock
// processes find the same at its usual place in their home directory.
func (n *Namespace) Kubeconfig() string { return filepath.Join(n.home, ".kube", "config") }

// UserKubeconfig returns the path of a file whose user, named User, may do nothing until RBAC says so.
func (n *Namespace) UserKubeconfig() string {
	n.t.Helper()
	return n.kubeconfigOf(n.user())
}

// kubeconfigOf is UserKubeconfig of any user.
func (n *Namespace) kubeconfigOf(user string) string {
	n.t.Helper()
	path := filepath.Join(n.home, strings.ReplaceAll(user, ":", "-")+".kubeconfig")
	n.save(path, user)
	return path
}

// User is the name to grant something to in a RoleBinding, for the user of UserKubeconfig.
func (n *Namespace) User() string { return n.user() }

func (n *Namespace) save(path, user string, groups ...string) {
	n.t.Helper()
	credential, err := n.cluster.ca.user(user, groups...)
	if err == nil {
		err = n.cluster.kubeconfig(n.cluster.ca, credential, n.Name).save(path)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// Cluster returns the cluster that the namespace is in.
func (n *Namespace) Cluster() *Cluster { return n.cluster }

// Await is Await of the namespace's test. When it fails, the test's log says what the namespace's pods say.
func (n *Namespace) Await(what string, try func(ctx context.Context) error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	defer context.AfterFunc(n.cluster.down, cancel)()
	if err := await(ctx, what, try); err != nil {
		n.t.Fatalf("%v\n%s", err, n.podStates())
	}
}

func (n *Namespace) podStates() string {
	pods, err := n.cluster.Kube.CoreV1().Pods(n.Name).List(context.WithoutCancel(n.t.Context()), metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	for _, pod := range pods.Items {
		fmt.Fprintf(&text, "pod %s: %s", pod.Name, pod.Status.Phase)
		for _, status := range pod.Status.ContainerStatuses {
			fmt.Fprintf(&text, ", %s ready=%t %s", status.Image, status.Ready, waiting(status))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func waiting(status corev1.ContainerStatus) string {
	if status.State.Waiting == nil {
		return ""
	}
	return status.State.Waiting.Reason
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
