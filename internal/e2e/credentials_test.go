package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// strange starts a run whose home directory has no kubeconfig, so that it is to the cluster who the credentials say.
func (s *scenario) strange(env []string, args ...string) *Run {
	s.t.Helper()
	return s.PenstockWith(append([]string{"HOME=" + s.t.TempDir()}, env...), append([]string{"run", "-f", "canary.yaml"}, args...)...)
}

// to names the API server and its authority, without any user.
func (s *scenario) to(args ...string) []string {
	return append([]string{
		"--server", s.cluster.apiURL(), "--certificate-authority-data", string(s.cluster.ca.pem), "-n", s.Name,
	}, args...)
}

// wantActedAs checks that a user, and nobody else, has done the rollout.
func (s *scenario) wantActedAs(user string) {
	s.t.Helper()
	if done := Count(s.requestsOf(user)); done["patch deployments"] == 0 {
		s.t.Errorf("as %s, penstock has done %v", user, done)
	}
	if done := s.requestsOf(s.admin()); len(done) > 0 {
		s.t.Errorf("penstock was the administrator: %v", Count(done))
	}
}

// A kubeconfig works as a file, by its variable, as text and as base64.
func TestAKubeconfigWorksInEveryForm(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"file", "variable", "text", "base64"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "kubernetes")
			s.grantRendered()
			path := s.UserKubeconfig()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var run *Run
			switch form {
			case "file":
				run = s.strange(nil, "--kubeconfig", path)
			case "variable":
				run = s.strange([]string{"KUBECONFIG=" + path})
			case "text":
				run = s.strange([]string{"PENSTOCK_KUBECONFIG_DATA=" + string(text)})
			case "base64":
				run = s.strange([]string{"INPUT_KUBECONFIG-DATA=" + base64.StdEncoding.EncodeToString(text)})
			}
			s.end(run, 0)
			s.wantActedAs(s.User())
		})
	}
}

// serviceAccount makes one that may do what a run needs, and returns a token of it and its name as a user.
func (s *scenario) serviceAccount() (token, user string) {
	s.t.Helper()
	accounts := s.cluster.Kube.CoreV1().ServiceAccounts(s.Name)
	meta := metav1.ObjectMeta{Name: "deployer"}
	if _, err := accounts.Create(s.t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.grantRendered("--service-account", s.Name+"/"+meta.Name)
	request, err := accounts.CreateToken(s.t.Context(), meta.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return request.Status.Token, "system:serviceaccount:" + s.Name + ":" + meta.Name
}

func TestATokenAndTheAuthorityAreEnough(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes")
	token, user := s.serviceAccount()
	run := s.strange([]string{"PENSTOCK_TOKEN=" + token}, s.to()...)
	s.end(run, 0)
	s.wantActedAs(user)
	if strings.Contains(run.Transcript(), token) {
		t.Error("the token is in the log")
	}
}

func TestATokenThatNobodyKnowsEndsTheRun(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes")
	run := s.strange([]string{"PENSTOCK_TOKEN=nobody"}, s.to()...)
	s.end(run, 2)
	s.wantLine(run, "401 Unauthorized")
	s.wantUntouched()
}

// A pod has its token, its authority and its namespace in files, and the API server in its environment.
func TestAPodIsItsServiceAccount(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/run").CombinedOutput(); err != nil {
		t.Skipf("this machine lets nobody make a file system of their own, so the files of a pod cannot be at their place: %v %s", err, out)
	}
	s := newScenario(t, "kubernetes")
	token, user := s.serviceAccount()
	for name, text := range map[string]string{"token": token, "ca.crt": string(s.cluster.ca.pem), "namespace": s.Name} {
		if err := os.WriteFile(filepath.Join(s.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := s.cluster.penstockBinary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const pod = `set -e
mount -t tmpfs tmpfs /run
mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
cp token ca.crt namespace /var/run/secrets/kubernetes.io/serviceaccount/
exec "$0" run -f canary.yaml`
	host, port, _ := strings.Cut(strings.TrimPrefix(s.cluster.apiURL(), "https://"), ":")
	run := s.Start("unshare", []string{"HOME=" + t.TempDir(), "KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port},
		"-rm", "sh", "-c", pod, binary)
	s.end(run, 0)
	s.wantActedAs(user)
}

// jobSubject is the user that the API server makes of the id token of this test's job.
func (s *scenario) jobSubject() (subject, string) {
	sub := subject{name: "repo:acme/" + s.Name + ":environment:production", audience: "penstock", life: 5 * time.Minute}
	return sub, "github:" + sub.name
}

// In a job of GitHub a run asks for a token, and for the next one before the first is over.
func TestAJobOfGitHubIsKnownByItsIDTokens(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes")
	sub, user := s.jobSubject()
	s.grantRendered("--user", user)
	sub.life = 5 * time.Second
	var asked atomic.Int64
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer of-the-job" || r.URL.Query().Get("audience") != sub.audience {
			http.Error(w, "who asks?", http.StatusForbidden)
			return
		}
		token, err := s.cluster.issuer.Token(sub)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, map[string]string{"value": token})
	}))
	defer github.Close()
	env := []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + github.URL + "/?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job"}
	s.end(s.strange(env, s.to("--oidc-audience", sub.audience)...), 0)
	first := asked.Load()
	s.end(s.strange(env, s.to("--oidc-audience", sub.audience, "--image", "podinfo="+v2)...), 0)
	s.wantPromoted(v2)
	s.wantActedAs(user)
	if renewed := asked.Load() - first; renewed < 2 {
		t.Errorf("a rollout that outlasts its token has asked for %d", renewed)
	}
	s.wantAllAnswered(user)
}

// wantAllAnswered checks that no request of a user was refused, but for what a run does without.
func (s *scenario) wantAllAnswered(user string) {
	s.t.Helper()
	for _, r := range s.requestsOf(user) {
		if (r.Code == 401 || r.Code == 403) && r.Resource != "canaries" {
			s.t.Errorf("%s %s %s was answered %d", r.Verb, r.Resource, r.Name, r.Code)
		}
	}
}

// In a job of GitLab the token is in a variable.
func TestAJobOfGitLabIsKnownByItsIDToken(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes")
	sub, user := s.jobSubject()
	s.grantRendered("--user", user)
	token, err := s.cluster.issuer.Token(sub)
	if err != nil {
		t.Fatal(err)
	}
	run := s.strange([]string{"KUBE_ID_TOKEN=" + token}, s.to("--oidc-token-env", "KUBE_ID_TOKEN")...)
	s.end(run, 0)
	s.wantActedAs(user)
	s.wantAllAnswered(user)
}

func TestAnIDTokenForSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes")
	sub, user := s.jobSubject()
	s.grantRendered("--user", user)
	sub.audience = "another"
	token, err := s.cluster.issuer.Token(sub)
	if err != nil {
		t.Fatal(err)
	}
	run := s.strange([]string{"KUBE_ID_TOKEN=" + token}, s.to("--oidc-token-env", "KUBE_ID_TOKEN")...)
	s.end(run, 2)
	s.wantLine(run, "401 Unauthorized")
	s.wantUntouched()
}

// withProgram writes a kubeconfig whose user gets a token from a program, which is given as a script if it is there at all.
func (s *scenario) withProgram(script string) (path string) {
	s.t.Helper()
	program := filepath.Join(s.home, "token-program")
	if script != "" {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	config := s.cluster.kubeconfig(s.cluster.ca, credential{}, s.Name)
	config.AuthInfos["e2e"] = &api.AuthInfo{Exec: &api.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: program, InteractiveMode: api.NeverExecInteractiveMode,
	}}
	path = filepath.Join(s.home, "program.kubeconfig")
	if err := clientcmd.WriteToFile(*config.Config, path); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// A program of a cloud gives tokens that do not last as long as the rollout, and is asked again.
func TestAProgramGivesTheTokens(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes")
	sub, user := s.jobSubject()
	s.grantRendered("--user", user)
	token, err := s.cluster.issuer.Token(sub)
	if err != nil {
		t.Fatal(err)
	}
	path := s.withProgram(fmt.Sprintf(`echo called >>calls
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"%%s"}}' \
  "$(date -u -d '+3 seconds' +%%Y-%%m-%%dT%%H:%%M:%%SZ)"
`, token))
	s.end(s.strange(nil, "--kubeconfig", path), 0)
	s.end(s.strange(nil, "--kubeconfig", path, "--image", "podinfo="+v2), 0)
	s.wantPromoted(v2)
	s.wantActedAs(user)
	calls, err := os.ReadFile(filepath.Join(s.home, "calls"))
	if n := strings.Count(string(calls), "called"); err != nil || n < 4 {
		t.Errorf("the program was called %d times: %v", n, err)
	}
}

// A run says, in the time that a request has, what is wrong with the program that should give its token.
func TestAProgramThatGivesNoTokenIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		code   int
		said   string
	}{
		"missing": {"", 2, "which is not installed here; give --token"},
		"failing": {"echo 'the session has expired' >&2; exit 7", 3, "token-program failed with exit code 7"},
		"silent":  {"exec sleep 20 2>/dev/null", 3, "has given no credentials in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "kubernetes")
			run := s.strange(nil, "--kubeconfig", s.withProgram(c.script))
			s.end(run, c.code)
			s.wantLine(run, c.said)
			s.wantUntouched()
		})
	}
}
