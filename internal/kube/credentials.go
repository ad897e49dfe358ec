package kube

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Credentials take the place of what the kubeconfig says, or of the kubeconfig itself. Empty ones leave it as it is.
type Credentials struct {
	Server string      // URL of the API server
	CA     string      // certificates of whoever signed the server's, as PEM or the base64 of that
	Token  string      // bearer token
	Tokens TokenSource // of bearer tokens that expire
}

// check returns all problems at once. No error quotes a secret.
func (c Credentials) check() error {
	var problems []error
	if c.Server != "" {
		u, err := url.Parse(c.Server)
		switch {
		case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
			problems = append(problems, errors.New("server: this is not the URL of an API server, such as https://10.0.0.1:6443"))
		case u.User != nil:
			problems = append(problems, errors.New("server: the URL holds a user or a password; use --token"))
		case u.Scheme == "http" && !loopback(u.Hostname()) && (c.Token != "" || c.Tokens != nil):
			problems = append(problems, fmt.Errorf("server: a token is not sent to %s without encryption; use https", u.Host))
		}
	}
	if c.CA != "" {
		if _, err := authority(c.CA); err != nil {
			problems = append(problems, err)
		}
	}
	if c.Token != "" && strings.ContainsAny(c.Token, " \t\r\n") {
		problems = append(problems, errors.New("token: it holds blanks or line breaks (it is not shown, since it is a secret)"))
	}
	if c.Token != "" && c.Tokens != nil {
		problems = append(problems, errors.New("token: not together with an id token of the job; use one of them"))
	}
	return errors.Join(problems...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// authority reads certificates from PEM, or from its base64 as a kubeconfig has it.
func authority(data string) ([]byte, error) {
	text := []byte(data)
	if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), "")); err == nil {
		text = plain
	}
	if block, _ := pem.Decode(text); block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("certificate-authority-data: this is neither a certificate in PEM nor the base64 of one")
	}
	return text, nil
}

// override puts the server and its authority over those of the kubeconfig.
func (c Credentials) override(o *clientcmd.ConfigOverrides) {
	o.ClusterInfo.Server = c.Server
	if c.CA != "" {
		o.ClusterInfo.CertificateAuthorityData, _ = authority(c.CA) // checked
	}
	o.AuthInfo.Token = c.Token
}

// identify makes a token the only identity: a kubeconfig's own would contradict it. An identity that a program gives is
// refused when the program is not there: the image of penstock has none.
func (c Credentials) identify(config *rest.Config) error {
	if c.Token == "" && c.Tokens == nil {
		return programmed(config)
	}
	config.ExecProvider, config.AuthProvider = nil, nil
	config.Username, config.Password, config.BearerTokenFile = "", "", ""
	config.CertFile, config.KeyFile, config.CertData, config.KeyData = "", "", nil, nil
	config.BearerToken = c.Token
	if c.Tokens != nil {
		shared := newTokens(c.Tokens)
		config.Wrap(func(base http.RoundTripper) http.RoundTripper { return &bearer{base, shared} })
	}
	return nil
}

func programmed(config *rest.Config) error {
	const instead = "give --token, or in a job --oidc-audience or --oidc-token-env; see docs/credentials.md"
	switch {
	case config.AuthProvider != nil:
		return fmt.Errorf("kubeconfig: its user logs in with the auth provider %q, which Kubernetes has taken away; %s", config.AuthProvider.Name, instead)
	case config.ExecProvider != nil:
		if _, err := exec.LookPath(config.ExecProvider.Command); err != nil {
			return fmt.Errorf("kubeconfig: its user gets a token from the program %q, which is not installed here; %s", config.ExecProvider.Command, instead)
		}
	}
	return nil
}
