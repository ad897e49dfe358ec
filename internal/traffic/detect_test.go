package traffic_test

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/traffic"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestARouterThatIsNotNamedIsDetected(t *testing.T) {
	t.Parallel()
	pods := func(field, key, value string) string {
		return "kind: Deployment\nspec: {template: {metadata: {" + field + ": {" + key + ": \"" + value + "\"}}}}"
	}
	for name, c := range map[string]struct {
		spec, target, namespace, ingress string
		groups                           map[string][]string
		want, why                        string // an error when want is empty
	}{
		"nothing at all":              {want: "kubernetes", why: "the cluster serves the API of no router"},
		"a gateway":                   {spec: "service: {gatewayRefs: [{name: public}]}", want: "gatewayapi:v1", why: "gatewayRefs"},
		"a gateway of an old cluster": {spec: "service: {gatewayRefs: [{name: public}]}", groups: map[string][]string{"gateway.networking.k8s.io": {"v1beta1"}}, want: "gatewayapi:v1beta1"},
		"a gateway beside a sidecar":  {spec: "service: {gatewayRefs: [{name: public}]}", namespace: "kind: Namespace\nmetadata: {labels: {istio-injection: enabled}}", want: "gatewayapi:v1"},
		"a route of APISIX":           {spec: "routeRef: {name: a}", want: "apisix"},
		"an upstream of Gloo":         {spec: "upstreamRef: {name: a}", want: "gloo"},
		"gateways of Istio":           {spec: "service: {gateways: [public]}", want: "istio"},
		"a mesh of AWS":               {spec: "service: {meshName: global}", want: "appmesh:v1beta2"},
		"an old mesh of AWS":          {spec: "service: {meshName: global}", groups: map[string][]string{"appmesh.k8s.aws": {"v1beta1"}}, want: "appmesh"},
		"a Service of Knative":        {spec: "targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: a}", want: "knative"},
		"an Ingress with a class": {spec: "ingressRef: {name: a}", ingress: "kind: Ingress\nspec: {ingressClassName: public-nginx}", want: "nginx",
			why: `the Ingress of spec.ingressRef has the class "public-nginx"`},
		"an Ingress with the old annotation": {spec: "ingressRef: {name: a}", ingress: "kind: Ingress\nmetadata: {annotations: {kubernetes.io/ingress.class: skipper}}", want: "skipper"},
		"an Ingress of a class that says nothing": {spec: "ingressRef: {name: a}", ingress: "kind: Ingress\nspec: {ingressClassName: public}",
			why: `name one of: nginx (the Ingress of spec.ingressRef has the class "public"), skipper (`},
		"a sidecar that the namespace asks for": {namespace: "kind: Namespace\nmetadata: {annotations: {linkerd.io/inject: enabled}}",
			groups: map[string][]string{"networking.istio.io": {"v1"}}, want: "linkerd", why: "the namespace has linkerd.io/inject: enabled"},
		"a sidecar that the pods ask for": {target: pods("annotations", "kuma.io/sidecar-injection", "enabled"),
			namespace: "kind: Namespace\nmetadata: {labels: {istio-injection: enabled}}", want: "kuma"},
		"a sidecar that is declined": {target: pods("labels", "sidecar.istio.io/inject", "false"), want: "kubernetes"},
		"two sidecars": {target: "kind: Deployment\nspec: {template: {metadata: {labels: {istio.io/rev: a}, annotations: {linkerd.io/inject: enabled}}}}",
			why: "istio (the target's pod template has istio.io/rev: a), linkerd (the target's pod template has linkerd.io/inject: enabled)"},
		"the only router of the cluster": {groups: map[string][]string{"traefik.io": {"v1alpha1"}, "gateway.networking.k8s.io": {"v1"}}, want: "traefik",
			why: "the cluster serves traefik.io"},
		"the newest split": {groups: map[string][]string{"split.smi-spec.io": {"v1alpha1", "v1alpha2"}}, want: "smi:v1alpha2"},
		"Linkerd's splits": {groups: map[string][]string{"split.smi-spec.io": {"v1alpha1"}, "linkerd.io": {"v1alpha2"}}, want: "linkerd"},
		"two routers":      {groups: map[string][]string{"traefik.io": {"v1alpha1"}, "networking.istio.io": {"v1"}}, why: "istio (the cluster serves networking.istio.io), traefik (the cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := parse(t, "kind: Canary\nspec: {"+c.spec+"}")
			can := new(canary.Canary)
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec.Object, can); err != nil {
				t.Fatal(err)
			}
			cluster := traffic.Cluster{Groups: c.groups}
			if c.target != "" {
				cluster.Target = parse(t, c.target)
			}
			if c.namespace != "" {
				cluster.Namespace = parse(t, c.namespace)
			}
			if c.ingress != "" {
				cluster.Ingress = parse(t, c.ingress)
			}
			got, err := traffic.Detect(can, cluster)
			said := got.Why
			if err != nil {
				said = err.Error()
			}
			if got.Provider != c.want || (err == nil) != (c.want != "") || !strings.Contains(said, c.why) {
				t.Errorf("got %q, %v, because %q; want %q because %q", got.Provider, err, said, c.want, c.why)
			}
		})
	}
}
