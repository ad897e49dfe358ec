package cli

import (
	"context"
	"fmt"
	"net"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/reach"
	"github.com/penstock-dev/penstock/internal/report"
)

// asks lists the URLs that the run asks, with those of the templates that are in the cluster alone.
func (d *drive) asks(set *canary.Set, metricsServer string) []string {
	all := addresses(d.canary, set, metricsServer)
	for i := range d.checks {
		all = append(all, d.checks[i].Source.Address)
	}
	return all
}

// reach looks for the permissions that the way to Services takes: those that `penstock render rbac` lists, each in a row of
// its own, for they are in other namespaces than that of the canary, and whoever grants them is another one, too.
func (p *preflight) reach(ctx context.Context, d *drive, way *reach.Reach, urls []string) {
	if way.Mode() == reach.Direct {
		return
	}
	told := map[string]bool{} // several Services of a namespace need the same
	for _, s := range servicesOf(urls) {
		grants, err := d.client.Granted(ctx, reachNeeds(way.Mode(), []manifest.Reached{s.Reached}))
		if err != nil {
			p.trouble(report.Requirement{Kind: "permission", Name: "to reach Service " + s.Namespace + "/" + s.Name}, err)
			continue
		}
		if !s.sure && p.elsewhere(ctx, way, s, grants) {
			continue
		}
		for i := range grants {
			if r := reachRequirement(way.Mode(), &grants[i]); !told[r.Name] {
				told[r.Name] = true
				p.add(r)
			}
		}
	}
}

// elsewhere reports whether a name of two labels is that of a host of the internet, which takes no permission. Whether it is
// remains unknown to a run that may not ask.
func (p *preflight) elsewhere(ctx context.Context, way *reach.Reach, s asked, grants []kube.Grant) bool {
	host := s.Name + "." + s.Namespace
	for i := range grants {
		if g := &grants[i]; g.Resource == "services" && g.Subresource == "" && !g.Allowed {
			p.add(report.Requirement{
				Kind: "permission", Name: g.String(), Found: fmt.Sprintf("not granted%s: a run takes %s for a host of the internet", g.Why, host),
				Fix: fmt.Sprintf("if %s is a Service, %s; if it is a host of the internet, write %s. with a dot at its end", host, reachFix(way.Mode()), host),
			})
			return true
		}
	}
	is, err := way.Names(ctx, net.JoinHostPort(host, s.Port))
	if err != nil {
		p.trouble(report.Requirement{Kind: "object", Name: "Service " + s.Namespace + "/" + s.Name}, err)
		return true
	}
	return !is
}

func reachRequirement(mode reach.Mode, g *kube.Grant) report.Requirement {
	r := report.Requirement{Kind: "permission", Name: g.String(), Met: report.MetYes, Found: "granted, to reach Services by " + string(mode)}
	if !g.Allowed {
		r.Met, r.Found, r.Fix = report.MetNo, "not granted"+g.Why+"; needed to reach Services by "+string(mode), reachFix(mode)
	}
	return r
}

func reachFix(mode reach.Mode) string {
	return fmt.Sprintf("grant the roles that `penstock render rbac --reach %s` prints to whoever runs this", mode)
}
