package metric

import (
	"cmp"
	"strings"
)

// lateRevision stands in a query for the name of the Revision that is analysed, which is known only when it is asked. It is
// a name to PromQL, so that the query can be parsed before.
const lateRevision = "__penstock_revision__"

// Of fills in the name of the Revision that is analysed, where a check asks for it. Without a name the check is left as it
// is, and finds no data.
func (c Check) Of(revision string) Check {
	if revision != "" {
		c.Query = strings.ReplaceAll(c.Query, lateRevision, revision)
		c.Count = strings.ReplaceAll(c.Count, lateRevision, revision)
		if c.Versus != nil {
			versus := *c.Versus
			versus.Query = strings.ReplaceAll(versus.Query, lateRevision, revision)
			c.Versus = &versus
		}
	}
	return c
}

// knative asks the metrics that Envoy, the gateway of Kourier, has of the canary's Revision. A route of Knative is a share of
// one Revision, and bears its name.
var knative = together(envoy(`envoy_cluster_name="{{ namespace }}/{{ route }}"`, "", func(s Served) map[string]string {
	revision := s.Target
	if !s.Canary {
		revision += "-primary"
	}
	return map[string]string{"envoy_cluster_name": s.Namespace + "/" + cmp.Or(s.Revision, revision)}
}))
