package kube

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/penstock-dev/penstock/internal/rehearsal"
)

const kubeconfig = `
apiVersion: v1
kind: Config
clusters:
- {name: a, cluster: {server: "https://a.example:6443"}}
- {name: b, cluster: {server: "https://b.example:6443"}}
users: [{name: me, user: {token: secret}}]
contexts:
- {name: first, context: {cluster: a, user: me, namespace: shop}}
- {name: second, context: {cluster: b, user: me}}
current-context: first
`

func TestAClusterIsFoundAsKubectlFindsIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(kubeconfig))
	tests := map[string]struct {
		options         Options
		host, namespace string
		err             string
	}{
		"the current context":      {options: Options{}, host: "https://a.example:6443", namespace: "shop"},
		"another context":          {options: Options{Context: "second"}, host: "https://b.example:6443", namespace: "default"},
		"a namespace":              {options: Options{Namespace: "mine"}, host: "https://a.example:6443", namespace: "mine"},
		"a context that is not in": {options: Options{Context: "third"}, err: `context "third" does not exist`},
		"the text":                 {options: Options{KubeconfigData: kubeconfig}, host: "https://a.example:6443", namespace: "shop"},
		"the text and a context":   {options: Options{KubeconfigData: kubeconfig, Context: "second"}, host: "https://b.example:6443", namespace: "default"},
		"base64":                   {options: Options{KubeconfigData: encoded[:76] + "\n" + encoded[76:] + "\n", Namespace: "mine"}, host: "https://a.example:6443", namespace: "mine"},
		"a text that is none":      {options: Options{KubeconfigData: "users: hunter2"}, err: "kubeconfig-data: this is neither"},
		"a text without clusters":  {options: Options{KubeconfigData: "kind: Config"}, err: "kubeconfig-data: this is neither"},
		"the base64 of nothing":    {options: Options{KubeconfigData: "aHVudGVyMg=="}, err: "kubeconfig-data: this is neither"},
		"a text and a file":        {options: Options{KubeconfigData: kubeconfig, Kubeconfig: path}, err: "both are given"},
		"an empty file":            {options: Options{Kubeconfig: os.DevNull}, err: "there is no kubeconfig"},
		"a file that is not there": {options: Options{Kubeconfig: path + ".gone"}, err: "read kubeconfig"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.options.Kubeconfig == "" && test.options.KubeconfigData == "" {
				test.options.Kubeconfig = path
			}
			c, err := Connect(test.options)
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v, want %q", err, test.err)
				}
			case err != nil:
				t.Error(err)
			case c.Host != test.host || c.Namespace != test.namespace:
				t.Errorf("host %s, namespace %s", c.Host, c.Namespace)
			default:
				if client, address, err := c.HTTP(); err != nil || client == nil || address != test.host+"/" && address != test.host {
					t.Errorf("the API is at %s, want %s: %v", address, test.host, err)
				}
			}
		})
	}
	if _, err := New(&rest.Config{Host: "https://a:b:c"}, "shop"); err == nil {
		t.Error("a host that is none")
	}
}

func TestTheSecretsOfTheConfigurationAreKnown(t *testing.T) {
	t.Parallel()
	c, err := Connect(Options{KubeconfigData: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Secrets(); !slices.Equal(got, []string{"secret"}) {
		t.Errorf("%q, want the token alone", got)
	}
	c, err = New(&rest.Config{Host: "https://a.example", Username: "me", Password: "hunter2"}, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Secrets(); !slices.Equal(got, []string{"hunter2"}) {
		t.Errorf("%q, want the password alone", got)
	}
}

func TestATemplateIsReadFromTheCluster(t *testing.T) {
	template := `
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: shop}
spec: {provider: {type: prometheus, address: "http://prometheus:9090"}, query: 'vector(1)'}
`
	withFlagger(t, func(f *fixture) {
		if got, err := f.client.Template(f.ctx, "shop", "errors"); got != nil || err != nil {
			t.Errorf("none yet: %v, %v", got, err)
		}
		f.create(template)
		got, err := f.client.Template(f.ctx, "shop", "errors")
		if err != nil || got.Spec.Query != "vector(1)" {
			t.Errorf("%v, %v", got, err)
		}
		f.create(strings.NewReplacer("name: errors", "name: wrong", "query:", "qeury:").Replace(template))
		if _, err := f.client.Template(f.ctx, "shop", "wrong"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `"shop/wrong"`) {
			t.Errorf("a wrong one: %v", err)
		}
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Verb == "get" })
		if _, err := f.client.Template(f.ctx, "shop", "errors"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "forbidden") {
			t.Errorf("no permission: %v", err)
		}
		f.api.Deny(nil)
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
		if _, err := f.client.Template(f.ctx, "shop", "errors"); err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), f.client.Host) {
			t.Errorf("trouble: %v", err)
		}
	})
}

func TestSecretsAreDecoded(t *testing.T) {
	inCluster(t, func(f *fixture) {
		if _, err := f.client.Secret(f.ctx, "shop", "prometheus"); err == nil || !strings.Contains(err.Error(), `secret "shop/prometheus" does not exist`) {
			t.Errorf("none: %v", err)
		}
		f.create(`{apiVersion: v1, kind: Secret, metadata: {name: prometheus, namespace: shop}, data: {username: bWU=, password: c2VjcmV0}}`)
		got, err := f.client.Secret(f.ctx, "shop", "prometheus")
		if diff := cmp.Diff(map[string][]byte{"username": []byte("me"), "password": []byte("secret")}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "secrets" })
		if _, err := f.client.Secret(f.ctx, "shop", "prometheus"); !errors.Is(err, ErrRefused) {
			t.Errorf("no permission: %v", err)
		}
	})
}
