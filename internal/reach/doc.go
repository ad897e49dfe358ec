// Package reach finds a way to the Services of a cluster for a process that runs outside of it.
//
// A canary names http://prometheus.istio-system:9090, and a CI runner cannot resolve that. Whatever is a Service of the
// cluster is reached through the Kubernetes API, which the run talks to anyway: by the port of one of its pods, or by the
// proxy of the API server. Every other host is left alone.
package reach
