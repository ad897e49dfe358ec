package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const deploy = "../../deploy"

var update = flag.Bool("update", false, "rewrite what is deployed")

// baseServer is what the kustomize base holds: what is the user's own is patched in an overlay.
func baseServer() Server {
	return Server{
		Namespace: "penstock", Image: "ghcr.io/penstock-dev/penstock:main", Replicas: 2, Host: "penstock.example.com", TLSSecret: "penstock-server-tls",
	}
}

func written(t *testing.T, path string, got []byte) {
	t.Helper()
	path = filepath.Join(deploy, path)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what the server is rendered as; run this test with -update (-have +want):\n%s", path, diff)
	}
}

func TestWhatIsDeployedIsWhatIsRendered(t *testing.T) {
	t.Parallel()
	objects, err := RenderServer(baseServer())
	if err != nil {
		t.Fatal(err)
	}
	base, err := RenderYAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	written(t, "kustomize/base/server.yaml", base)
	chart, err := RenderChart()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(chart), "penstock-value-") || strings.Contains(string(chart), "42424") {
		t.Error("a value of the chart was not put in")
	}
	for _, value := range []string{".Values.replicas", ".Values.ingressClass", ".Values.tlsSecret", ".Values.githubAppKey", ".Values.namespaces", ".Values.repositories", ".Values.image", ".Values.host", ".Values.settings", ".Values.egressPorts"} {
		if !strings.Contains(string(chart), value) {
			t.Errorf("the chart does not use %s", value)
		}
	}
	written(t, "helm/penstock/templates/server.yaml", chart)
}

func TestServerHasARoleWhereItServes(t *testing.T) {
	t.Parallel()
	objects, err := RenderServer(Server{Namespace: "ops", Image: "i", Replicas: 2, Served: []string{"shop", "bank"}, Repositories: []string{"github:7"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := RenderYAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"namespace: shop", "namespace: bank", "value: github:7", "value: |-\n                shop\n                bank"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "kind: Ingress\n") || strings.Contains(string(text), "PENSTOCK_GITHUB_APP_KEY_FILE") || strings.Contains(string(text), "status:") {
		t.Errorf("what nobody asked for is there:\n%s", text)
	}
}

func TestAServerReachesWhatItIsFor(t *testing.T) {
	t.Parallel()
	plain := Server{Namespace: "ops", Image: "i", Replicas: 2, Served: []string{"shop"}}
	more := plain
	more.LoadTester, more.EgressPorts = true, []int32{8443}
	more.Settings = []Setting{{Name: "approvers", Values: []string{"role:write", "user:7"}}, {Name: "page", Values: []string{"on"}}}
	for server, there := range map[*Server]bool{&plain: false, &more: true} {
		objects, err := RenderServer(*server)
		if err != nil {
			t.Fatal(err)
		}
		text, err := RenderYAML(objects)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			"port: 8443", "key: kubernetes.io/metadata.name\n                operator: In\n                values:\n                  - shop",
			"name: PENSTOCK_APPROVERS\n              value: |-\n                role:write\n                user:7", "name: PENSTOCK_PAGE\n              value: \"on\"",
		} {
			if strings.Contains(string(text), part) != there {
				t.Errorf("%q is there: %v; want %v in\n%s", part, !there, there, text)
			}
		}
	}
}
