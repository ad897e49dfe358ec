package workload

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/canary"
)

// wantedService is one Service as a kind of targets wants it. Only one that was made for the canary gets the metadata.
type wantedService struct {
	ref                 canary.Ref
	spec                map[string]any
	labels, annotations map[string]string
}

// Services returns the Services that go with a target, for a server-side apply: the apex, the primary's and the canary's.
// The apex selects the primary. live are those that exist; it may be nil, and so may the primary.
//
// Of a Service that was there before, only the selector, the canary's ports, the traffic distribution and the markers that
// keep GitOps tools from putting the selector back are written. Its type, its node ports, its owner and the rest of its
// metadata stay the user's.
func Services(c *canary.Canary, target, primary *Workload, live canary.Objects) ([]*unstructured.Unstructured, error) {
	refs, err := RefsFor(c)
	if err != nil {
		return nil, err
	}
	if refs.Shared() {
		return nil, nil // Knative makes its own
	}
	if problems := validation.IsDNS1035Label(refs.PrimaryService.Name); len(problems) > 0 {
		return nil, fmt.Errorf("spec.service.name: Service %q: the name is not possible: %s", refs.PrimaryService.Name, problems[0])
	}
	wanted, err := target.kind.services(c, &refs, target, primary)
	if err != nil {
		return nil, err
	}
	services := make([]*unstructured.Unstructured, 0, len(wanted))
	for i := range wanted {
		service, err := renderService(c, &wanted[i], live[wanted[i].ref])
		if err != nil {
			return nil, err
		}
		services = append(services, service)
	}
	return services, nil
}

// podServices select the pods of a target and of its primary by the label that tells them apart.
func podServices(c *canary.Canary, refs *Refs, target, _ *Workload) ([]wantedService, error) {
	key, value, err := Label(target)
	if err != nil {
		return nil, err
	}
	ports, err := servicePorts(c, &target.Template.Spec)
	if err != nil {
		return nil, err
	}
	service := func(ref canary.Ref, selects string, metadata *canary.CustomMetadata) wantedService {
		spec := map[string]any{"selector": map[string]any{key: selects}, "ports": copyPorts(ports)}
		if c.Spec.Service.Headless {
			spec["clusterIP"] = corev1.ClusterIPNone
		}
		if d := c.Spec.Service.TrafficDistribution; d != "" {
			spec["trafficDistribution"] = d
		}
		labels, annotations := custom(metadata)
		labels[key] = ref.Name
		return wantedService{ref, spec, labels, annotations}
	}
	return []wantedService{
		service(refs.Apex, value+primarySuffix, c.Spec.Service.Apex),
		service(refs.PrimaryService, value+primarySuffix, c.Spec.Service.Primary),
		service(refs.CanaryService, value, c.Spec.Service.Canary),
	}, nil
}

func renderService(c *canary.Canary, w *wantedService, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	service := w.ref.New()
	service.Object["spec"] = w.spec
	if live == nil {
		adorn(c, service, w)
		return service, nil
	}
	ours, err := owned(c, serviceKind, live)
	if err != nil {
		return nil, err
	}
	if !ours {
		delete(w.spec, "clusterIP")
		service.SetAnnotations(markers())
		return service, portClash(w, live)
	}
	adorn(c, service, w)
	address, _, _ := unstructured.NestedString(live.Object, "spec", "clusterIP")
	return service, headlessClash(w, address)
}

// headlessClash finds a Service that cannot become headless, or stop being it: Kubernetes gives out cluster IPs for life.
func headlessClash(w *wantedService, address string) error {
	is, wanted := address == corev1.ClusterIPNone, w.spec["clusterIP"] == corev1.ClusterIPNone
	if address == "" || is == wanted {
		return nil
	}
	return fmt.Errorf("%s has the cluster IP %s, and Kubernetes does not let a Service become headless, or stop being it; delete it, so that it is made anew",
		w.ref, address)
}

// portClash finds what the API server would say less clearly: ports of the Service that was there before stay, and no
// two ports may have one name.
func portClash(w *wantedService, live *unstructured.Unstructured) error {
	wanted, _ := w.spec["ports"].([]any)
	kept, _, _ := unstructured.NestedSlice(live.Object, "spec", "ports")
	for _, port := range kept {
		old, _ := port.(map[string]any)
		if slices.ContainsFunc(wanted, func(p any) bool { return samePort(p, old) }) {
			continue
		}
		for _, p := range wanted {
			if name := p.(map[string]any)["name"]; name == old["name"] {
				return fmt.Errorf("%s has the port %v too, which is called %q as well; remove that port, or give spec.service.portName another name",
					w.ref, old["port"], name)
			}
		}
		if old["name"] == nil {
			return fmt.Errorf("%s has the port %v too, which needs a name when it is not the only one; remove that port, or give it a name",
				w.ref, old["port"])
		}
	}
	return nil
}

func samePort(a any, b map[string]any) bool {
	p, _ := a.(map[string]any)
	protocol := func(m map[string]any) any {
		if m["protocol"] == nil {
			return string(corev1.ProtocolTCP)
		}
		return m["protocol"]
	}
	return fmt.Sprint(p["port"]) == fmt.Sprint(b["port"]) && protocol(p) == protocol(b)
}

// custom returns the metadata that a canary gives to one of its Services, to be added to.
func custom(m *canary.CustomMetadata) (labels, annotations map[string]string) {
	labels = map[string]string{}
	if m != nil {
		maps.Copy(labels, m.Labels)
		annotations = m.Annotations
	}
	return labels, annotations
}

// adorn gives a Service that was made for the canary its metadata. What spec.service.unmanagedMetadata names is left to
// whoever else writes it.
func adorn(c *canary.Canary, service *unstructured.Unstructured, w *wantedService) {
	labels, annotations := maps.Clone(w.labels), managed(c, w.annotations)
	if foreign := c.Spec.Service.UnmanagedMetadata; foreign != nil {
		for _, key := range foreign.Labels {
			delete(labels, key)
		}
		for _, key := range foreign.Annotations {
			if key != CanaryAnnotation { // by which the Service is recognised
				delete(annotations, key)
			}
		}
	}
	if len(labels) > 0 {
		service.SetLabels(labels)
	}
	service.SetAnnotations(annotations)
	if owners := owner(c); owners != nil {
		service.SetOwnerReferences(owners)
	}
}

func copyPorts(ports []any) []any {
	copied := make([]any, len(ports))
	for i, port := range ports {
		fields, _ := port.(map[string]any)
		copied[i] = maps.Clone(fields)
	}
	return copied
}
