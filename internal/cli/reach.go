package cli

import (
	"fmt"
	"net"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/reach"
)

// reachInputs say how a run reaches what only the cluster's DNS knows.
type reachInputs struct {
	Reach string `input:"reach" default:"auto" help:"how metrics servers, webhooks and load reach Services of the cluster: auto, direct, port-forward or service-proxy; auto is direct in the cluster, and port-forward outside of it"`
}

// mode returns the way to the Services of a cluster. It is never auto.
func (in *reachInputs) mode(client *kube.Client, getenv func(string) string) (reach.Mode, error) {
	mode, err := in.parse()
	if err != nil {
		return "", badInput(err)
	}
	return mode.For(inCluster(client, getenv)), nil
}

func (in *reachInputs) parse() (reach.Mode, error) {
	mode, err := reach.ParseMode(in.Reach)
	if err != nil {
		return "", fmt.Errorf("reach: %w", err)
	}
	return mode, nil
}

// inCluster reports whether the run is in the very cluster that it talks to: a runner in one cluster may well deploy to
// another, whose Services it does not know.
func inCluster(client *kube.Client, getenv func(string) string) bool {
	host, port := getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT")
	return host != "" && client.Host == "https://"+net.JoinHostPort(host, port)
}

// openWay opens the way to the Services of the cluster, which the caller closes. It talks to nobody yet.
func (d *drive) openWay() (*reach.Reach, error) {
	mode := d.way
	if mode == "" {
		mode = reach.Direct // the embedded cluster has no network of its own
	}
	way, err := reach.New(reach.Config{Cluster: d.client.REST(), Mode: mode, Clock: d.clock})
	if err != nil {
		return nil, unfinished(err)
	}
	d.through = way.Transport
	if d.address == nil {
		d.address, d.loadThrough = way.Local, way.Transport
	}
	return way, nil
}
