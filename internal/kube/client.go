// Package kube is the engine that reads and writes a Kubernetes cluster: watches, server-side apply, the lease, the
// record and the Canary's status. What to write is decided elsewhere; how an object looks is the codecs' business.
package kube

import (
	"fmt"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// FieldManager owns what Penstock writes.
const FieldManager = "penstock"

// requestTimeout bounds a request that is not a watch.
const requestTimeout = 10 * time.Second

// Options says which cluster to talk to, as kubectl does.
type Options struct {
	Kubeconfig string // path; empty: $KUBECONFIG, ~/.kube/config, or the pod's own service account
	Context    string
	Namespace  string // empty: the context's
	UserAgent  string
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
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	overrides.Context.Namespace = o.Namespace
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the namespace of the kubeconfig: %w", err)
	}
	config.UserAgent = o.UserAgent
	return New(config, namespace)
}

// New makes a client for a configuration.
func New(config *rest.Config, namespace string) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server has its own fairness; a run makes about one request a second
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", config.Host, err)
	}
	return &Client{dynamic: d, config: config, Namespace: namespace, Host: config.Host}, nil
}
