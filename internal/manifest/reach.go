package manifest

import "k8s.io/apimachinery/pkg/runtime/schema"

// Reached is a port of a Service that a run asks from outside of the cluster.
type Reached struct {
	Namespace, Name string
	Port            string // its number or name, as in the URL
	TLS             bool   // by https
}

// Forwarded lists what it takes to reach Services by the ports of their pods. Which pods those are, nobody knows before.
func Forwarded(services []Reached) []Need {
	var all needs
	const why = "Services are reached from outside of the cluster by a port of one of their pods"
	for _, s := range services {
		all.add(why, service(s, s.Name), "get")
		all.add(why, unnamed(schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}, s.Namespace), "list")
		forward := unnamed(schema.GroupVersionResource{Version: "v1", Resource: "pods"}, s.Namespace)
		forward.Subresource = "portforward"
		all.add(why+"; by WebSocket that is a get, before it a create", forward, "get", "create")
	}
	return all
}

// Proxied lists what it takes to reach them by the proxy of the API server: to read is a get, to post a create. It is
// granted for one port of a Service.
func Proxied(services []Reached) []Need {
	var all needs
	const why = "Services are reached from outside of the cluster by the proxy of the API server"
	for _, s := range services {
		all.add(why, service(s, s.Name), "get")
		name := s.Name + ":" + s.Port
		if s.TLS {
			name = "https:" + name
		}
		through := service(s, name)
		through.Subresource = "proxy"
		all.add(why, through, "get", "create")
	}
	return all
}

func service(s Reached, name string) Permission {
	return Permission{Resource: "services", Namespace: s.Namespace, Name: name}
}
