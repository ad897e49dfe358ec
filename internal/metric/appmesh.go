package metric

// appmesh asks the metrics of the Envoy in the canary's pods.
var appmesh = envoy(`kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ pods }}"`, "", func(s Served) map[string]string {
	return map[string]string{"kubernetes_namespace": s.Namespace, "kubernetes_pod_name": s.Pod}
})
