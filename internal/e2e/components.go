package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	clientcmd "k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// auditPolicy logs what the tests' own users do; the components and the harness would drown it.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "e2e:harness", "e2e:kube-controller-manager", "e2e:kube-scheduler", "e2e:kwok"]
- level: Metadata
`

// A layout says where one control plane keeps its files and listens.
type layout struct {
	dir     string
	etcd    string // host:port
	apiPort int
}

func (l layout) path(name string) string { return filepath.Join(l.dir, name) }

func (l layout) apiURL() string { return fmt.Sprintf("https://127.0.0.1:%d", l.apiPort) }

// pickPorts asks the kernel for free ports. Another process can take one before we do, which is why Start tries again.
func (l *layout) pickPorts() error {
	var ports [2]int
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // only after all are found, so that they differ
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	l.etcd, l.apiPort = fmt.Sprintf("127.0.0.1:%d", ports[0]), ports[1]
	return nil
}

func (l layout) etcdArgs() []string {
	return []string{
		"--data-dir=" + l.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://" + l.etcd, "--advertise-client-urls=http://" + l.etcd,
		"--listen-peer-urls=http://127.0.0.1:0",
	}
}

func (l layout) apiServerArgs() []string {
	return []string{
		"--etcd-servers=http://" + l.etcd,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", l.apiPort),
		"--tls-cert-file=" + l.path("server.crt"), "--tls-private-key-file=" + l.path("server.key"),
		"--client-ca-file=" + l.path("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + l.path("server.key"), "--service-account-signing-key-file=" + l.path("server.key"),
		"--authentication-config=" + l.path("authentication.yaml"),
		"--authorization-mode=Node,RBAC", "--disable-admission-plugins=ServiceAccount",
		"--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
		"--audit-policy-file=" + l.path("audit-policy.yaml"), "--audit-log-path=" + l.path("audit.log"),
		"--shutdown-delay-duration=0s",
	}
}

func (l layout) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + l.path("kube-controller-manager.kubeconfig"),
		"--leader-elect=false", "--use-service-account-credentials=false", "--secure-port=0",
		// With the node lifecycle controller, simulated nodes flap.
		"--controllers=*,-bootstrap-signer-controller,-token-cleaner-controller,-node-lifecycle-controller,-taint-eviction-controller",
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--horizontal-pod-autoscaler-sync-period=1s", // the default of 15 s outlasts most rollouts here
	}
}

func (l layout) schedulerArgs() []string {
	return []string{
		"--kubeconfig=" + l.path("kube-scheduler.kubeconfig"), "--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=200", "--kube-api-burst=400",
	}
}

func (l layout) kwokArgs() []string {
	return []string{
		"--kubeconfig=" + l.path("kwok.kubeconfig"), "--config=" + l.path("stages.yaml"),
		"--manage-all-nodes=true", "--cidr=10.244.0.1/16", "--node-lease-duration-seconds=40",
	}
}

// prepare writes everything that the components read.
func (l layout) prepare(ca *authority, issuer *issuer) error {
	server, err := ca.server()
	if err != nil {
		return err
	}
	if err := server.save(l.dir, "server"); err != nil {
		return fmt.Errorf("save the API server's certificate: %w", err)
	}
	authentication, err := json.Marshal(issuer.authentication(ca))
	if err != nil {
		return fmt.Errorf("write the API server's authentication: %w", err)
	}
	for name, text := range map[string]string{
		"ca.crt": string(ca.pem), "audit-policy.yaml": auditPolicy, "authentication.yaml": string(authentication),
	} {
		if err := os.WriteFile(l.path(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	for _, component := range []string{"kube-controller-manager", "kube-scheduler", "kwok"} {
		user, err := ca.user("e2e:"+component, "system:masters")
		if err != nil {
			return err
		}
		if err := l.kubeconfig(ca, user, "default").save(l.path(component + ".kubeconfig")); err != nil {
			return err
		}
	}
	return nil
}

type kubeconfig struct{ *api.Config }

func (l layout) kubeconfig(ca *authority, user credential, namespace string) kubeconfig {
	config := api.NewConfig()
	config.Clusters["e2e"] = &api.Cluster{Server: l.apiURL(), CertificateAuthorityData: ca.pem}
	config.AuthInfos["e2e"] = &api.AuthInfo{ClientCertificateData: user.cert, ClientKeyData: user.key}
	config.Contexts["e2e"] = &api.Context{Cluster: "e2e", AuthInfo: "e2e", Namespace: namespace}
	config.CurrentContext = "e2e"
	return kubeconfig{config}
}

func (k kubeconfig) save(path string) error {
	if err := clientcmd.WriteToFile(*k.Config, path); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", strings.TrimSuffix(filepath.Base(path), ".kubeconfig"), err)
	}
	return nil
}
