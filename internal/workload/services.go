package workload

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Side is one of the two workloads that a Service can select.
type Side int8

// The zero value is the side that has the traffic between rollouts.
const (
	PrimarySide Side = iota
	CanarySide
)

// Services returns the apex, the primary and the canary Service of a canary, for a server-side apply. live are those that
// exist; it may be nil. apex is the side that the apex Service selects: CanarySide only while a router that works by
// selectors has all traffic on the canary.
//
// Of a Service that was there before, only the selector, the canary's ports, the traffic distribution and the markers that
// keep GitOps tools from putting the selector back are written. Its type, its node ports, its owner and the rest of its
// metadata stay the user's.
func Services(c *canary.Canary, target *appsv1.Deployment, live canary.Objects, apex Side) ([]*unstructured.Unstructured, error) {
	refs, err := RefsFor(c)
	if err != nil {
		return nil, err
	}
	key, value, err := Label(target)
	if err != nil {
		return nil, err
	}
	if problems := validation.IsDNS1035Label(refs.PrimaryService.Name); len(problems) > 0 {
		return nil, fmt.Errorf("spec.service.name: Service %q: the name is not possible: %s", refs.PrimaryService.Name, problems[0])
	}
	ports, err := servicePorts(c, &target.Spec.Template.Spec)
	if err != nil {
		return nil, err
	}
	s := serviceCodec{canary: c, live: live, key: key, ports: ports}
	apexValue := value + primarySuffix
	if apex == CanarySide {
		apexValue = value
	}
	var services []*unstructured.Unstructured
	for _, w := range []wantedService{
		{refs.Apex, apexValue, c.Spec.Service.Apex},
		{refs.PrimaryService, value + primarySuffix, c.Spec.Service.Primary},
		{refs.CanaryService, value, c.Spec.Service.Canary},
	} {
		service, err := s.render(w)
		if err != nil {
			return nil, err
		}
		services = append(services, service)
	}
	return services, nil
}

type wantedService struct {
	ref      canary.Ref
	selects  string
	metadata *canary.CustomMetadata
}

type serviceCodec struct {
	canary *canary.Canary
	live   canary.Objects
	key    string // the label that tells the pods apart
	ports  []any
}

func (s *serviceCodec) render(w wantedService) (*unstructured.Unstructured, error) {
	service := w.ref.New()
	live := s.live[w.ref]
	ours := live == nil
	if live != nil {
		var err error
		if ours, err = owned(s.canary, "Service", live); err != nil {
			return nil, err
		}
	}
	service.SetAnnotations(markers())
	if ours {
		s.adorn(service, w)
	}
	spec := map[string]any{"selector": map[string]any{s.key: w.selects}, "ports": deepCopyPorts(s.ports)}
	if s.canary.Spec.Service.Headless && ours {
		spec["clusterIP"] = corev1.ClusterIPNone
	}
	if d := s.canary.Spec.Service.TrafficDistribution; d != "" {
		spec["trafficDistribution"] = d
	}
	service.Object["spec"] = spec
	return service, nil
}

// adorn gives a Service that was made for the canary its metadata.
func (s *serviceCodec) adorn(service *unstructured.Unstructured, w wantedService) {
	custom := canary.CustomMetadata{}
	if w.metadata != nil {
		custom = *w.metadata
	}
	labels := map[string]string{}
	maps.Copy(labels, custom.Labels)
	labels[s.key] = w.ref.Name
	service.SetLabels(labels)
	service.SetAnnotations(managed(s.canary, custom.Annotations))
	if owners := owner(s.canary); owners != nil {
		service.SetOwnerReferences(owners)
	}
}

func deepCopyPorts(ports []any) []any {
	copied := make([]any, len(ports))
	for i, port := range ports {
		fields, _ := port.(map[string]any)
		copied[i] = maps.Clone(fields)
	}
	return copied
}
