// Package kube is the engine that reads and writes a Kubernetes cluster: watches, server-side apply, the lease, the
// record and the Canary's status. What to write is decided elsewhere; how an object looks is the codecs' business.
package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// FieldManager owns what Penstock writes.
const FieldManager = "penstock"

// requestTimeout bounds a request that is not a watch.
const requestTimeout = 10 * time.Second

// Options says which cluster to talk to, as kubectl does.
type Options struct {
	Kubeconfig     string // path; empty: $KUBECONFIG, ~/.kube/config, or the pod's own service account
	KubeconfigData string // the kubeconfig itself, as text or in base64, in place of a path; no error ever quotes it
	Context        string
	Namespace      string // empty: the context's
	UserAgent      string
	Credentials    Credentials
}

// Client talks to one cluster.
type Client struct {
	dynamic   dynamic.Interface
	config    *rest.Config
	Namespace string // the default for objects that name none
	Host      string
}

// Connect reads the configuration; it does not talk to the cluster yet.
func Connect(o Options) (*Client, error) {
	if err := o.Credentials.check(); err != nil {
		return nil, err
	}
	loader, err := o.loader()
	if err != nil {
		return nil, err
	}
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("there is no kubeconfig; give --kubeconfig, --kubeconfig-data or --server (a CI secret that is not set is empty)")
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the namespace of the kubeconfig: %w", err)
	}
	if err := o.Credentials.identify(config); err != nil {
		return nil, err
	}
	config.UserAgent = o.UserAgent
	return New(config, namespace)
}

func (o Options) loader() (clientcmd.ClientConfig, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	overrides.Context.Namespace = o.Namespace
	o.Credentials.override(overrides)
	if o.KubeconfigData == "" {
		rules := clientcmd.NewDefaultClientConfigLoadingRules()
		rules.ExplicitPath = o.Kubeconfig
		return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides), nil
	}
	if o.Kubeconfig != "" {
		return nil, errors.New("kubeconfig, kubeconfig-data: both are given; use one of them")
	}
	config, err := parseKubeconfig(o.KubeconfigData)
	if err != nil {
		return nil, err
	}
	return clientcmd.NewNonInteractiveClientConfig(*config, o.Context, overrides, nil), nil
}

// parseKubeconfig reads a kubeconfig from its text, or from the base64 of that, broken into lines or not. The errors of
// the parsers quote what they could not read, which is a secret, so they are not told.
func parseKubeconfig(data string) (*api.Config, error) {
	text := []byte(data)
	if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), "")); err == nil {
		text = plain
	}
	config, err := clientcmd.Load(text)
	if err != nil || len(config.Clusters) == 0 {
		return nil, errors.New("kubeconfig-data: this is neither a kubeconfig with a cluster nor the base64 of one " +
			"(its text is not shown, since it is a secret)")
	}
	return config, nil
}

// New makes a client for a configuration.
func New(config *rest.Config, namespace string) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server has its own fairness; a run makes about one request a second
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	client, err := httpClient(config)
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", config.Host, err)
	}
	return &Client{dynamic: d, config: config, Namespace: namespace, Host: config.Host}, nil
}

// REST returns what it takes to connect to the cluster in another way.
func (c *Client) REST() *rest.Config { return rest.CopyConfig(c.config) }

// HTTP returns a client that speaks to the API server with the credentials of the run, and the URL of that server.
func (c *Client) HTTP() (*http.Client, string, error) {
	server, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return nil, "", fmt.Errorf("read the address of the cluster: %w", err)
	}
	client, err := httpClient(c.config)
	return client, server.String(), err
}

func httpClient(config *rest.Config) (*http.Client, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", config.Host, err)
	}
	if config.ExecProvider != nil {
		client.Transport = &bounded{base: client.Transport, program: config.ExecProvider.Command}
	}
	return client, nil
}

// Secrets are the parts of the configuration that nobody may read in a log. A token that a plugin fetches is not among
// them, as it is not known before the first request.
func (c *Client) Secrets() []string {
	var all []string
	for _, secret := range []string{c.config.BearerToken, c.config.Password, string(c.config.KeyData)} {
		if secret != "" {
			all = append(all, secret)
		}
	}
	return all
}
