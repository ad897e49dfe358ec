package kube

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"
)

const anAuthority = `-----BEGIN CERTIFICATE-----
MAA=
-----END CERTIFICATE-----
`

func TestCredentialsTakeThePlaceOfTheKubeconfig(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options Options
		host    string
		token   string
	}{
		"a server and no kubeconfig": {Options{Kubeconfig: empty, Credentials: Credentials{Server: "https://10.0.0.1", Token: "t"}}, "https://10.0.0.1", "t"},
		"a server over a kubeconfig": {Options{KubeconfigData: kubeconfig, Credentials: Credentials{Server: "https://10.0.0.1"}}, "https://10.0.0.1", "secret"},
		"a token over a kubeconfig":  {Options{KubeconfigData: kubeconfig, Credentials: Credentials{Token: "t"}}, "https://a.example:6443", "t"},
		"id tokens over a kubeconfig": {
			Options{KubeconfigData: kubeconfig, Credentials: Credentials{Tokens: &issuer{}}}, "https://a.example:6443", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := Connect(test.options)
			if err != nil {
				t.Fatal(err)
			}
			if client.Host != test.host || client.config.BearerToken != test.token {
				t.Errorf("host %s, token %q; want %s and %q", client.Host, client.config.BearerToken, test.host, test.token)
			}
			if wrapped := client.config.WrapTransport != nil; wrapped != (test.options.Credentials.Tokens != nil) {
				t.Errorf("tokens are added to requests: %v", wrapped)
			}
		})
	}
}

func TestBadCredentialsAreListedAtOnceAndNotShown(t *testing.T) {
	t.Parallel()
	c := Credentials{Server: "http://hunter2@10.0.0.1", CA: "hunter2", Token: "hun ter2", Tokens: &issuer{}}
	err := c.check()
	if err == nil {
		t.Fatal("they are taken")
	}
	for _, want := range []string{"server: the URL holds a user", "certificate-authority-data: ", "token: it holds blanks", "token: not together"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
		t.Errorf("%v shows a secret", err)
	}
	for server, want := range map[string]string{
		"10.0.0.1:6443": "server: this is not the URL", "ftp://a": "server: this is not", "http://a.example": "without encryption", "http://127.0.0.1:1": "", "https://[::1]:1": "",
	} {
		if err := (Credentials{Server: server, Token: "t"}).check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", server, err, want)
		}
	}
	for _, ca := range []string{anAuthority, base64.StdEncoding.EncodeToString([]byte(anAuthority))} {
		if got, err := authority(ca); err != nil || string(got) != anAuthority {
			t.Errorf("authority %q, %v", got, err)
		}
	}
}

func TestProgramThatGivesATokenHasToBeThere(t *testing.T) {
	t.Parallel()
	config := &rest.Config{ExecProvider: &api.ExecConfig{Command: "no-such-program-for-tokens"}}
	err := (Credentials{}).identify(config)
	if err == nil || !strings.Contains(err.Error(), `the program "no-such-program-for-tokens", which is not installed here; give --token`) {
		t.Errorf("%v", err)
	}
	config.ExecProvider.Command = os.Args[0] // the test itself is a program
	if err := (Credentials{}).identify(config); err != nil {
		t.Errorf("a program that is there: %v", err)
	}
	config.AuthProvider = &api.AuthProviderConfig{Name: "gcp"}
	if err := (Credentials{}).identify(config); err == nil || !strings.Contains(err.Error(), `auth provider "gcp"`) {
		t.Errorf("%v", err)
	}
	config.CertData, config.KeyData = []byte("c"), []byte("k")
	if err := (Credentials{Token: "t"}).identify(config); err != nil || config.ExecProvider != nil || config.CertData != nil || config.BearerToken != "t" {
		t.Errorf("the token is not the only identity: %v %+v", err, config)
	}
}
