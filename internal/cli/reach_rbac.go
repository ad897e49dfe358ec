package cli

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/reach"
)

// internet are namespaces that nobody has, and whose hosts are those of the internet. What else a name of two labels may be
// is asked of the cluster by a run, and a role has to be written before.
var internet = []string{"com", "org", "net", "edu", "gov", "io", "co", "cloud", "local"}

// reached lists what the run of a canary needs to reach the Services that it asks.
func (in *rbacInputs) reached(c *canary.Canary, set *canary.Set) ([]manifest.Need, error) {
	mode, err := reach.ParseMode(in.Reach)
	if err != nil {
		return nil, fmt.Errorf("reach: %w", err)
	}
	var services []manifest.Reached
	for _, s := range servicesOf(addresses(c, set, in.MetricsServer)) {
		services = append(services, s.Reached)
	}
	return reachNeeds(mode.For(false), services), nil // a run in the cluster needs nothing: --reach direct
}

// reachNeeds lists what a way to Services takes.
func reachNeeds(way reach.Mode, services []manifest.Reached) []manifest.Need {
	switch way {
	case reach.PortForward:
		return manifest.Forwarded(services)
	case reach.ServiceProxy:
		return manifest.Proxied(services)
	case reach.Auto, reach.Direct:
	}
	return nil
}

// asked is a Service that a URL names.
type asked struct {
	manifest.Reached
	sure bool // it cannot be a host of the internet
}

// servicesOf returns the Services that URLs name, each once.
func servicesOf(urls []string) []asked {
	var all []asked
	for _, raw := range urls {
		s, ok := serviceOf(raw)
		if ok && !slices.ContainsFunc(all, func(have asked) bool { return have.Reached == s.Reached }) {
			all = append(all, s)
		}
	}
	return all
}

// serviceOf returns the Service that a URL names.
func serviceOf(raw string) (asked, bool) {
	u, err := url.Parse(raw)
	if err != nil {
		return asked{}, false
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	p, ok := reach.ParseHost(u.Hostname(), port)
	if !ok || !p.Sure && slices.Contains(internet, p.Namespace) {
		return asked{}, false
	}
	return asked{manifest.Reached{Namespace: p.Namespace, Name: p.Name, Port: p.Port, TLS: u.Scheme == "https"}, p.Sure}, true
}

// addresses lists the URLs that the run of a canary asks, as far as the files say.
func addresses(c *canary.Canary, set *canary.Set, metricsServer string) []string {
	all := []string{c.Spec.MetricsServer, metricsServer}
	if c.Spec.Analysis == nil {
		return all
	}
	for i := range c.Spec.Analysis.Metrics {
		if t := set.Template(c, &c.Spec.Analysis.Metrics[i]); t != nil {
			all = append(all, t.Spec.Provider.Address)
		}
	}
	for i := range c.Spec.Analysis.Webhooks {
		all = append(all, c.Spec.Analysis.Webhooks[i].URL)
	}
	all = append(all, loadTargets(c)...)
	for _, alert := range c.Spec.Analysis.Alerts {
		ref := c.Locate(alert.ProviderRef)
		for _, p := range set.Providers {
			if p.Name == ref.Name && (p.Namespace == ref.Namespace || p.Namespace == "") {
				all = append(all, p.Spec.Address)
			}
		}
	}
	return all
}
