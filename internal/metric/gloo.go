package metric

import "fmt"

// gloo asks the metrics that Envoy has of the canary's Upstream, which is named after the apex Service and its port.
var gloo = envoy(`envoy_cluster_name=~"{{ namespace }}-{{ service }}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+"`, "-canary", func(s Served) map[string]string {
	return map[string]string{"envoy_cluster_name": fmt.Sprintf("%s-%supstream-%d_%s", s.Namespace, s.side(), s.Port, s.Namespace)}
})
