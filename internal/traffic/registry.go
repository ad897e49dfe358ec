package traffic

// registry maps spec.provider to its codec. Each entry has a file, a line here and a folder below testdata/traffic/.
var registry = map[string]Router{
	"apisix":             apisix,
	"appmesh":            appmeshV1beta1,
	"appmesh:v1beta2":    appmeshV1beta2,
	"contour":            contour,
	"gatewayapi:v1":      gatewayAPI,
	"gatewayapi:v1beta1": gatewayAPI,
	"gloo":               gloo,
	"istio":              istio,
	"kubernetes":         kubernetes,
	"knative":            knative,
	"kuma":               kuma,
	"linkerd":            linkerd,
	"nginx":              nginx,
	"osm":                osm,
	"skipper":            skipper,
	"smi:v1alpha1":       smiV1alpha1,
	"smi:v1alpha2":       smiV1alpha2,
	"smi:v1alpha3":       smiV1alpha3,
	"traefik":            traefik,
}

// abilities returns what each router can do.
func abilities() map[string]Can {
	all := make(map[string]Can, len(registry))
	for name, r := range registry {
		all[name] = r.Can
	}
	return all
}
