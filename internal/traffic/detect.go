package traffic

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// Cluster is what a cluster shows of its routers. What could not be read is left out.
type Cluster struct {
	Groups    map[string][]string        // the versions that the API server serves, by API group
	Target    *unstructured.Unstructured // the canary's target
	Namespace *unstructured.Unstructured // the canary's namespace
	Ingress   *unstructured.Unstructured // what spec.ingressRef names
}

// Guess is a router that nobody named, and what speaks for it.
type Guess struct{ Provider, Why string }

// Detect finds the router of a canary that names none. What the canary itself refers to counts most, then the sidecar that
// its pods get, then the only router that the cluster has. A cluster without any gets the kubernetes router. More than one
// router with equally much to say for it is an error that lists them.
func Detect(c *canary.Canary, cluster Cluster) (Guess, error) {
	for _, signs := range [][]Guess{referred(c, cluster), injected(cluster), served(cluster)} {
		switch len(signs) {
		case 0:
			continue
		case 1:
			return signs[0], nil
		}
		var words []string
		for _, sign := range signs {
			words = append(words, fmt.Sprintf("%s (%s)", sign.Provider, sign.Why))
		}
		return Guess{}, fmt.Errorf("spec.provider: is missing, and more than one router is possible; name one of: %s", strings.Join(words, ", "))
	}
	return Guess{"kubernetes", "the cluster serves the API of no router"}, nil
}

// referred lists the routers that the fields of the canary are for.
func referred(c *canary.Canary, cluster Cluster) []Guess {
	s := &c.Spec.Service
	var found []Guess
	say := func(provider, why string) { found = append(found, Guess{provider, why}) }
	if strings.HasPrefix(c.Spec.TargetRef.APIVersion, "serving.knative.dev/") {
		say("knative", "spec.targetRef is a Service of Knative")
	}
	if c.Spec.RouteRef != nil {
		say("apisix", "spec.routeRef is given")
	}
	if c.Spec.UpstreamRef != nil {
		say("gloo", "spec.upstreamRef is given")
	}
	if c.Spec.IngressRef != nil {
		found = append(found, byIngress(cluster)...)
	}
	if len(s.GatewayRefs) > 0 {
		provider := "gatewayapi:v1"
		if versions := cluster.Groups[gatewayGroup]; !slices.Contains(versions, "v1") && slices.Contains(versions, "v1beta1") {
			provider = "gatewayapi:v1beta1"
		}
		say(provider, "spec.service.gatewayRefs is given")
	}
	if s.MeshName != "" || len(s.Backends) > 0 {
		say(appMesh(cluster), "spec.service.meshName or backends is given")
	}
	if len(s.Gateways) > 0 || s.Delegation {
		say("istio", "spec.service.gateways or delegation is given")
	}
	return found
}

// byIngress tells the ingress controller of an Ingress by its class, as far as its name says it.
func byIngress(cluster Cluster) []Guess {
	class := ""
	if cluster.Ingress != nil {
		class = cluster.Ingress.GetAnnotations()[legacyClass]
		if ingress, err := workload.Read[networkingv1.Ingress](cluster.Ingress); err == nil && ingress.Spec.IngressClassName != nil {
			class = *ingress.Spec.IngressClassName
		}
	}
	why := "spec.ingressRef is given"
	if class != "" {
		why = fmt.Sprintf("the Ingress of spec.ingressRef has the class %q", class)
	}
	switch skipper, nginx := strings.Contains(class, "skipper"), strings.Contains(class, "nginx"); {
	case skipper && !nginx:
		return []Guess{{"skipper", why}}
	case nginx && !skipper:
		return []Guess{{"nginx", why}}
	}
	return []Guess{{"nginx", why}, {"skipper", why}}
}

// appMesh is the newest version of App Mesh that the cluster serves.
func appMesh(cluster Cluster) string {
	if slices.Contains(cluster.Groups["appmesh.k8s.aws"], "v1beta2") || len(cluster.Groups["appmesh.k8s.aws"]) == 0 {
		return "appmesh:v1beta2"
	}
	return "appmesh"
}

// sidecars tells the mesh that a pod is in by the labels and annotations that ask for its proxy.
var sidecars = []struct {
	key, value string // an empty value is any
	provider   string
}{
	{"istio-injection", "enabled", "istio"}, {"istio.io/rev", "", "istio"}, {"sidecar.istio.io/inject", "true", "istio"},
	{"istio.io/dataplane-mode", "ambient", "istio"},
	{"linkerd.io/inject", "enabled", "linkerd"}, {"linkerd.io/inject", "ingress", "linkerd"},
	{"kuma.io/sidecar-injection", "enabled", "kuma"}, {"kuma.io/sidecar-injection", "true", "kuma"},
	{"openservicemesh.io/sidecar-injection", "enabled", "osm"},
	{"appmesh.k8s.aws/sidecarInjectorWebhook", "enabled", "appmesh"},
}

// injected lists the meshes whose proxy the target's pods get.
func injected(cluster Cluster) []Guess {
	var found []Guess
	look := func(what string, metadata map[string]string) {
		for _, sign := range sidecars {
			value, there := metadata[sign.key]
			if !there || sign.value != "" && value != sign.value {
				continue
			}
			provider := sign.provider
			if provider == "appmesh" {
				provider = appMesh(cluster)
			}
			if !slices.ContainsFunc(found, func(g Guess) bool { return g.Provider == provider }) {
				found = append(found, Guess{provider, fmt.Sprintf("the %s has %s: %s", what, sign.key, value)})
			}
		}
	}
	if cluster.Target != nil {
		for _, field := range []string{"labels", "annotations"} {
			metadata, _, _ := unstructured.NestedStringMap(cluster.Target.Object, "spec", "template", "metadata", field)
			look("target's pod template", metadata)
		}
	}
	if cluster.Namespace != nil && len(found) == 0 {
		look("namespace", cluster.Namespace.GetLabels())
		look("namespace", cluster.Namespace.GetAnnotations())
	}
	return found
}

// groups are the API groups by which a router is known that a canary need not refer to.
var groups = []struct{ group, version, provider string }{
	{istioGroup, "", "istio"}, {"projectcontour.io", "", "contour"}, {traefikGroup, "", "traefik"}, {"gateway.solo.io", "", "gloo"},
	{"kuma.io", "", "kuma"}, {"appmesh.k8s.aws", "", "appmesh"}, {"linkerd.io", "", "linkerd"},
	{splitGroup, "v1alpha3", "smi:v1alpha3"}, {splitGroup, "v1alpha2", "smi:v1alpha2"}, {splitGroup, "v1alpha1", "smi:v1alpha1"},
}

// served lists the routers whose API the cluster serves. Of several versions of one API it is the first of groups.
func served(cluster Cluster) []Guess {
	var found []Guess
	seen := map[string]bool{}
	for _, g := range groups {
		versions, there := cluster.Groups[g.group]
		if !there || seen[g.group] || g.version != "" && !slices.Contains(versions, g.version) {
			continue
		}
		seen[g.group] = true
		provider := g.provider
		if provider == "appmesh" {
			provider = appMesh(cluster)
		}
		found = append(found, Guess{provider, "the cluster serves " + g.group})
	}
	if _, linkerd := cluster.Groups["linkerd.io"]; linkerd { // TrafficSplits are Linkerd's own extension there
		found = slices.DeleteFunc(found, func(g Guess) bool { return strings.HasPrefix(g.Provider, "smi:") })
	}
	return found
}
