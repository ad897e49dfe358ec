package traffic

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// accessLog is the annotation of a Canary by which Flagger lets the Envoys write what they answer.
const accessLog = "appmesh.flagger.app/accesslog"

// host is where a node finds the pods of a Service.
func (m meshCodec) host(suffix string) string {
	host := m.c.ServiceName() + suffix + "." + m.c.Namespace
	if m.version == meshV2 {
		host += ".svc.cluster.local." // the dot at the end spares the searched domains
	}
	return host
}

// standsForApex reports whether the node that outlives the canary stands for the apex Service.
func (m meshCodec) standsForApex() bool {
	discovery := object(object(fields(m.live[m.node(m.remaining())]), "spec"), "serviceDiscovery")
	dns := object(discovery, "dns")
	return text(dns, "hostname", text(dns, "hostName", "")) == m.host("")
}

func (m meshCodec) renderNodes(want rollout.Route) ([]*unstructured.Unstructured, error) {
	if want.Handover {
		node, err := m.renderNode(m.remaining(), m.host(""))
		return []*unstructured.Unstructured{node}, err
	}
	suffixes := []string{primarySuffix, canarySuffix}
	if m.version == meshV1 {
		suffixes = append(suffixes, "") // the pods of the target are bound to it by its name
	}
	var nodes []*unstructured.Unstructured
	for _, suffix := range suffixes {
		node, err := m.renderNode(suffix, m.host(suffix))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func (m meshCodec) renderNode(suffix, host string) (*unstructured.Unstructured, error) {
	ref := m.node(suffix)
	spec := map[string]any{"listeners": m.listeners(m.live[ref])}
	if m.version == meshV1 {
		spec["meshName"] = m.c.Spec.Service.MeshName
		spec["serviceDiscovery"] = map[string]any{"dns": map[string]any{"hostName": host}}
	} else {
		spec["serviceDiscovery"] = map[string]any{"dns": map[string]any{"hostname": host}}
		if m.c.Spec.TargetRef.Kind != serviceKind { // whose pods are not known
			key, value, err := podLabel(m.c, m.live)
			if err != nil {
				return nil, err
			}
			if suffix == primarySuffix {
				value += primarySuffix
			}
			spec["podSelector"] = map[string]any{"matchLabels": map[string]any{key: value}}
		}
	}
	if m.c.Annotations[accessLog] == "enabled" {
		spec["logging"] = map[string]any{"accessLog": map[string]any{"file": map[string]any{"path": "/dev/stdout"}}}
	}
	if backends := m.c.Spec.Service.Backends; len(backends) > 0 {
		all := make([]any, 0, len(backends))
		for _, backend := range backends {
			all = append(all, map[string]any{"virtualService": m.backend(backend)})
		}
		spec["backends"] = all
	}
	node := ref.New()
	node.Object["spec"] = spec
	return node, nil
}

func (m meshCodec) backend(name string) map[string]any {
	switch {
	case m.version == meshV1:
		return map[string]any{"virtualServiceName": name}
	case strings.HasPrefix(name, "arn:aws"):
		return map[string]any{"virtualServiceARN": name}
	}
	return map[string]any{"virtualServiceRef": map[string]any{"name": name}}
}

// listeners returns the one listener of a node, with what else the live one has, such as health checks: the list is one
// field to the API.
func (m meshCodec) listeners(live *unstructured.Unstructured) []any {
	listener := map[string]any{}
	if present := objects(object(fields(live), "spec"), "listeners"); len(present) > 0 {
		listener = clone(present[0])
	}
	listener["portMapping"] = m.portMapping()
	if timeout := m.timeout(); timeout != nil {
		listener["timeout"] = map[string]any{m.protocol(): timeout}
	}
	return []any{listener}
}

// portMapping has the port of the container in v1beta2, as in Flagger.
func (m meshCodec) portMapping() map[string]any {
	port := m.c.Spec.Service.Port
	if target := m.c.Spec.Service.TargetPort; m.version == meshV2 && target != nil && target.IntVal > 0 {
		port = target.IntVal
	}
	return map[string]any{"port": int64(port), "protocol": m.protocol()}
}

func (m meshCodec) protocol() string {
	if strings.Contains(m.c.Spec.Service.PortName, "grpc") {
		return "grpc"
	}
	return "http"
}

// renderService returns the objects of the apex, or of the canary itself.
func (m meshCodec) renderService(suffix string, routes []any) []*unstructured.Unstructured {
	listeners := []any{map[string]any{"portMapping": m.portMapping()}}
	service := m.service(suffix).New()
	if suffix == "" {
		m.expose(service)
	}
	name := m.c.ServiceName() + suffix
	if m.version == meshV1 {
		service.Object["spec"] = map[string]any{
			"meshName": m.c.Spec.Service.MeshName, "routes": routes,
			"virtualRouter": map[string]any{"name": name, "listeners": listeners},
		}
		return []*unstructured.Unstructured{service}
	}
	service.Object["spec"] = map[string]any{"provider": map[string]any{
		"virtualRouter": map[string]any{"virtualRouterRef": map[string]any{"name": name}},
	}}
	router := m.router(suffix).New()
	router.Object["spec"] = map[string]any{"listeners": listeners, "routes": routes}
	return []*unstructured.Unstructured{router, service}
}

// expose tells Flagger's App Mesh gateway to let in the requests to the hosts of the canary.
func (m meshCodec) expose(service *unstructured.Unstructured) {
	s := &m.c.Spec.Service
	if len(s.Hosts) == 0 {
		return
	}
	const gateway = "gateway.appmesh.k8s.aws/"
	annotations := map[string]string{gateway + "expose": "true", gateway + "domain": strings.Join(s.Hosts, ",")}
	if s.Timeout != "" {
		annotations[gateway+"timeout"] = s.Timeout
	}
	if s.Retries != nil && s.Retries.Attempts > 0 {
		annotations[gateway+"retries"] = strconv.Itoa(int(s.Retries.Attempts))
	}
	service.SetAnnotations(annotations)
}

// unsettled says which of the objects App Mesh has not taken up. Since v1beta2 each tells of which generation it knows;
// before, only that it could not be done.
func (m meshCodec) unsettled(needed []canary.Ref) string {
	for _, ref := range needed {
		live := m.live[ref]
		if live == nil {
			return ref.String() + " does not exist yet"
		}
		status := object(live.Object, "status")
		if seen, told := status["observedGeneration"]; m.version == meshV2 && told && number(status, "observedGeneration", 0) < float64(live.GetGeneration()) {
			return fmt.Sprintf("App Mesh has not taken up the latest change of %s yet (it has seen generation %v of %d)", ref, seen, live.GetGeneration())
		}
		active := false
		for _, condition := range objects(status, "conditions") {
			kind, state := text(condition, "type", ""), text(condition, "status", "")
			active = active || kind == ref.Kind+"Active" && state == "True"
			if strings.HasSuffix(kind, "Active") && state == "False" {
				return fmt.Sprintf("App Mesh has not taken up %s: %s %s: %s", ref, kind, text(condition, "reason", "is False"), text(condition, "message", "no reason is given"))
			}
		}
		if m.version == meshV2 && !active {
			return "App Mesh has not taken up " + ref.String() + " yet"
		}
	}
	return ""
}
