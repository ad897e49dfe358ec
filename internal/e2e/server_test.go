package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const chart = "../../deploy/helm/penstock"

// restricted makes the API server refuse every pod that is not as the Pod Security Standard "restricted" asks.
func (n *Namespace) restricted() {
	n.t.Helper()
	patch := []string{"label", "namespace", n.Name}
	for _, mode := range []string{"enforce", "warn"} {
		patch = append(patch, "pod-security.kubernetes.io/"+mode+"=restricted")
	}
	n.kubectl(patch...)
}

// kubectl runs kubectl, which has to succeed, and returns what it printed.
func (n *Namespace) kubectl(args ...string) string {
	n.t.Helper()
	run := n.Kubectl(args...)
	if run.Wait(time.Minute) != 0 {
		n.t.Fatalf("kubectl %s:\n%s", strings.Join(args, " "), run.Transcript())
	}
	return run.Stdout()
}

// helm renders the chart with the real helm.
func (n *Namespace) helm(values ...string) string {
	n.t.Helper()
	path, err := helmTool().build(context.WithoutCancel(n.t.Context()))
	if err != nil {
		n.t.Fatal(err)
	}
	directory, err := filepath.Abs(chart)
	if err != nil {
		n.t.Fatal(err)
	}
	args := []string{"template", "penstock", directory, "--namespace", n.Name}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	run := n.Start(path, nil, args...)
	if run.Wait(time.Minute) != 0 {
		n.t.Fatalf("helm %s:\n%s", strings.Join(args, " "), run.Transcript())
	}
	return run.Stdout()
}

// applied writes a text to a file, makes the Secret that a server wants, and applies it.
func (n *Namespace) applied(text string) {
	n.t.Helper()
	n.kubectl("create", "secret", "generic", "penstock-server", "--from-literal=gate-token=0123456789abcdef")
	path := filepath.Join(n.home, "server.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	run := n.Kubectl("apply", "-f", path)
	if run.Wait(time.Minute) != 0 || strings.Contains(run.Stderr(), "PodSecurity") {
		n.t.Fatalf("apply:\n%s", run.Transcript())
	}
}

func TestTheChartIsWhatRenderServerPrints(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	rendered := ns.Penstock("render", "server", "-n", ns.Name, "--image", "ghcr.io/penstock-dev/penstock:main", "--serve-namespace", "shop",
		"--serve-namespace", "bank", "--repository", "github:7", "--repository", "gitlab:8", "--host", "penstock.example.com", "--ingress-class", "public",
		"--tls-secret", "tls", "--github-app-key", "--replicas", "3", "--set", "approvers=role:write,count:1", "--set", "approvers=team:acme/sre",
		"--set", "load-tester=true", "--set", "page=on", "--egress-port", "8443")
	if rendered.Wait(time.Minute) != 0 {
		t.Fatal(rendered.Transcript())
	}
	want := objectsIn(rendered.Stdout())
	got := objectsIn(ns.helm("namespaces={shop,bank}", "repositories={github:7,gitlab:8}", "host=penstock.example.com", "ingressClass=public",
		"tlsSecret=tls", "githubAppKey=true", "replicas=3", `settings.approvers={role:write\,count:1,team:acme/sre}`, "settings.load-tester=true",
		"settings.page=on", "egressPorts={8443}"))
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, got)); diff != "" || len(want) == 0 {
		t.Errorf("the chart differs (-render server, +chart):\n%s", diff)
	}
}

func asJSON(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	text, err := json.MarshalIndent(objects, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheChartRunsWherePodsAreRestricted(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	ns.restricted()
	ns.applied(ns.helm("host=" + ns.Name + ".example.com"))
	ns.awaitServer()
	pods, err := cluster.Kube.CoreV1().Pods(ns.Name).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=penstock-server"})
	if err != nil || len(pods.Items) != 2 {
		t.Fatalf("%d pods, %v; want 2", len(pods.Items), err)
	}
	as := "system:serviceaccount:" + ns.Name + ":penstock-server"
	for verb, want := range map[string]string{"update configmaps": "yes", "get secrets": "no", "delete configmaps": "no", "get pods": "no"} {
		run := ns.Kubectl(append([]string{"auth", "can-i", "--as", as}, strings.Fields(verb)...)...)
		if got := strings.TrimSpace(run.Stdout()); got != want {
			t.Errorf("may the server %s? %s, want %s", verb, got, want)
		}
	}
}

func (n *Namespace) awaitServer() {
	n.t.Helper()
	n.Await("two ready replicas of the server", func(ctx context.Context) error {
		d, err := cluster.Kube.AppsV1().Deployments(n.Name).Get(ctx, "penstock-server", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return unless(d.Status.ReadyReplicas == 2, "%+v", d.Status)
	})
}

func TestTheKustomizeBaseRunsWherePodsAreRestricted(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	ns.restricted()
	base, err := filepath.Abs("../../deploy/kustomize/base")
	if err != nil {
		t.Fatal(err)
	}
	overlay := t.TempDir()
	relative, err := filepath.Rel(overlay, base)
	if err != nil {
		t.Fatal(err)
	}
	text := "resources: [" + relative + "]\nnamespace: " + ns.Name + "\nimages: [{name: ghcr.io/penstock-dev/penstock, newTag: \"1.0.0\"}]\n"
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ns.applied(ns.kubectl("kustomize", overlay))
	ns.awaitServer()
	pods, err := cluster.Kube.CoreV1().Pods(ns.Name).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=penstock-server"})
	if err != nil || len(pods.Items) != 2 {
		t.Fatalf("%d pods, %v; want 2", len(pods.Items), err)
	}
	if got := pods.Items[0].Spec.Containers[0].Image; got != "ghcr.io/penstock-dev/penstock:1.0.0" {
		t.Errorf("the image is %s", got)
	}
}
