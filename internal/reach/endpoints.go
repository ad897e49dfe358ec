package reach

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// pod is a port of a pod that stands behind a Service.
type pod struct {
	namespace, name string
	port            int32
}

// portOf returns the port of a Service by its number or name.
func portOf(s *corev1.Service, port string) (corev1.ServicePort, error) {
	var known []string
	for _, p := range s.Spec.Ports {
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		number := strconv.Itoa(int(p.Port))
		if port == number || port == p.Name {
			return p, nil
		}
		if p.Name != "" {
			number += " (" + p.Name + ")"
		}
		known = append(known, number)
	}
	wrong := &Error{Service: Service{Namespace: s.Namespace, Name: s.Name}}
	if wrong.Message = fmt.Sprintf("it has no TCP port %s; it has %s", port, strings.Join(known, ", ")); known == nil {
		wrong.Message = "it has no TCP port at all"
	}
	return corev1.ServicePort{}, wrong
}

// podsOf returns the pods that are ready behind a port of a Service, in the order of their names.
func podsOf(s Service, port corev1.ServicePort, found []discoveryv1.EndpointSlice) ([]pod, error) {
	var ready []pod
	waiting, bare := 0, 0
	for _, slice := range found {
		number, ok := portIn(slice, port.Name)
		if !ok {
			continue
		}
		for _, e := range slice.Endpoints {
			switch {
			case e.Conditions.Ready != nil && !*e.Conditions.Ready: // nil means ready, as the API has it
				waiting++
			case e.TargetRef == nil || e.TargetRef.Kind != "Pod":
				bare++
			default:
				ready = append(ready, pod{namespace: s.Namespace, name: e.TargetRef.Name, port: number})
			}
		}
	}
	// A pod with two families of addresses is in two slices.
	slices.SortFunc(ready, func(a, b pod) int { return strings.Compare(a.name, b.name) })
	if ready = slices.Compact(ready); len(ready) > 0 {
		return ready, nil
	}
	switch {
	case bare > 0:
		return nil, &Error{Service: s, Message: "it exists, but none of its ready endpoints is a pod, and the Kubernetes API leads to nothing else; " +
			"name an address that this machine can reach"}
	case waiting == 1:
		return nil, &Error{Service: s, Message: "it exists, but its only endpoint is not ready", Passing: true}
	case waiting > 1:
		return nil, &Error{Service: s, Message: fmt.Sprintf("it exists, but none of its %d endpoints is ready", waiting), Passing: true}
	}
	return nil, &Error{Service: s, Message: "it exists, but it has no endpoints: no pod has the labels of its selector", Passing: true}
}

// portIn returns the port of the pods for a port of the Service.
func portIn(slice discoveryv1.EndpointSlice, name string) (int32, bool) {
	for _, p := range slice.Ports {
		if p.Port == nil || p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
			continue
		}
		if p.Name == nil && name == "" || p.Name != nil && *p.Name == name {
			return *p.Port, true
		}
	}
	return 0, false
}
