package metric

import "fmt"

// kuma asks the metrics that Envoy has of the canary's Service, by Kuma's name of it.
var kuma = envoy(`service=~"{{ service }}-canary_{{ namespace }}_svc_[0-9a-zA-Z-]+"`, "-canary", func(s Served) map[string]string {
	return map[string]string{"service": fmt.Sprintf("%s_%s_svc_%d", s.side(), s.Namespace, s.Port)}
})
