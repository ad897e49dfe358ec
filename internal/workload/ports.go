package workload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/canary"
)

// sidecars are containers of service meshes; their ports are not the application's.
var sidecars = map[string]bool{"istio-proxy": true, "envoy": true}

// portID is what server-side apply tells the ports of a Service apart by.
type portID struct {
	number   int32
	protocol corev1.Protocol
}

// portList collects the ports of a Service: no number and no name twice.
type portList struct {
	entries []any
	ids     map[portID]bool
	names   map[string]bool
}

// servicePorts returns the port of spec.service and, with portDiscovery, those of the target's containers.
func servicePorts(c *canary.Canary, spec *corev1.PodSpec) ([]any, error) {
	s := &c.Spec.Service
	if s.Port < 1 || s.Port > 65535 {
		return nil, fmt.Errorf("spec.service.port: %d is not between 1 and 65535", s.Port)
	}
	list := portList{ids: map[portID]bool{}, names: map[string]bool{}}
	name := s.PortName
	if name == "" {
		name = canary.DefaultPortName
	}
	target := targetPort(s)
	main := list.add(name, portID{s.Port, corev1.ProtocolTCP}, target)
	if s.AppProtocol != "" {
		main["appProtocol"] = s.AppProtocol
	}
	if !s.PortDiscovery {
		return list.entries, nil
	}
	for i := range spec.Containers {
		if container := &spec.Containers[i]; !sidecars[container.Name] {
			list.discover(container, target)
		}
	}
	return list.entries, nil
}

// discover adds the ports of a container but the one that spec.service has already. Like Flagger it names a port that
// has no name of its own "tcp-<container>-<index>".
func (l *portList) discover(container *corev1.Container, served intstr.IntOrString) {
	for i := range container.Ports {
		port := &container.Ports[i]
		if served.Type == intstr.String && port.Name == served.StrVal || served.Type == intstr.Int && port.ContainerPort == served.IntVal {
			continue
		}
		id := portID{port.ContainerPort, port.Protocol}
		if id.protocol == "" {
			id.protocol = corev1.ProtocolTCP
		}
		if l.ids[id] {
			continue
		}
		name := port.Name
		if name == "" || l.names[name] {
			name = generatedName(container.Name, i)
		}
		l.add(name, id, intstr.FromInt32(port.ContainerPort))
	}
}

func generatedName(container string, index int) string {
	suffix := fmt.Sprintf("-%d", index)
	room := validation.DNS1123LabelMaxLength - len("tcp-") - len(suffix)
	return "tcp-" + strings.TrimRight(container[:min(len(container), room)], "-") + suffix
}

func (l *portList) add(name string, id portID, target intstr.IntOrString) map[string]any {
	l.ids[id], l.names[name] = true, true
	entry := map[string]any{"name": name, "protocol": string(id.protocol), "port": int64(id.number), "targetPort": target.StrVal}
	if target.Type == intstr.Int {
		entry["targetPort"] = int64(target.IntVal)
	}
	l.entries = append(l.entries, entry)
	return entry
}

// targetPort is spec.service.targetPort, or the port itself when there is none; Flagger takes 0 for none.
func targetPort(s *canary.Service) intstr.IntOrString {
	if s.TargetPort == nil || s.TargetPort.String() == "0" || s.TargetPort.String() == "" {
		return intstr.FromInt32(s.Port)
	}
	return *s.TargetPort
}
