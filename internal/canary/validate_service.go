package canary

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

const servicePath = "spec.service"

// longestServiceName leaves room for "-primary" in the 63 characters that Kubernetes allows.
const longestServiceName = 63 - len("-primary")

var trafficDistributions = []string{"PreferClose", "PreferSameZone", "PreferSameNode"}

func inService(name string) string { return servicePath + "." + name }

func (v *validator) service(c *Canary) {
	s := &c.Spec.Service
	if !v.src.has(servicePath) {
		if c.Knative() {
			return // which makes its Services itself
		}
		v.missing(servicePath, "the port of the Service, such as port: 80")
		return
	}
	if v.src.has(inService("port")) {
		v.within(inService("port"), int(s.Port), 1, 65535)
	} else {
		v.missing(inService("port"), "the port of the Service, between 1 and 65535")
	}
	v.portName(inService("portName"), s.PortName)
	v.targetPort(s.TargetPort)
	v.serviceName(c)
	v.oneOf(inService("trafficDistribution"), s.TrafficDistribution, trafficDistributions)
	v.timeouts(s)
	v.hosts(s.Hosts)
	v.gatewayRefs(s.GatewayRefs)
	v.istio(s)
	v.metadata(inService("apex"), s.Apex)
	v.metadata(inService("primary"), s.Primary)
	v.metadata(inService("canary"), s.Canary)
}

func (v *validator) portName(path, name string) {
	if name != "" && len(validation.IsValidPortName(name)) > 0 {
		v.bad(path, name, fmt.Sprintf(
			"%q is not a port name that Kubernetes allows: lower-case letters, digits and single \"-\", at least one letter, up to 15", short(name)))
	}
}

// targetPort accepts 0, which clients of the API write for "not set".
func (v *validator) targetPort(port *intstr.IntOrString) {
	path := inService("targetPort")
	switch {
	case port == nil:
	case port.Type == intstr.String:
		v.portName(path, port.StrVal)
	default:
		v.within(path, int(port.IntVal), 0, 65535)
	}
}

// serviceName checks the name of the apex Service, to which suffixes are appended.
func (v *validator) serviceName(c *Canary) {
	name, path := c.Spec.Service.Name, inService("name")
	if name == "" {
		name, path = c.Spec.TargetRef.Name, "spec.targetRef.name"
	}
	switch {
	case name == "":
	case len(name) > longestServiceName:
		v.bad(path, name, fmt.Sprintf("%q has %d characters; %d are allowed, because the Service with \"-primary\" after it must fit in 63",
			short(name), len(name), longestServiceName))
	case len(validation.IsDNS1035Label(name)) > 0 && len(validation.IsDNS1123Subdomain(name)) == 0 || c.Spec.Service.Name != "" && len(validation.IsDNS1035Label(name)) > 0:
		v.bad(path, name, fmt.Sprintf(
			"%q cannot name a Service: lower-case letters, digits and \"-\", beginning with a letter; set spec.service.name", short(name)))
	}
}

func (v *validator) timeouts(s *Service) {
	request, hasRequest := v.timeout(inService("timeout"), s.Timeout)
	backend, hasBackend := v.timeout(inService("backendTimeout"), s.BackendTimeout)
	if hasRequest && hasBackend && request > 0 && backend > request {
		v.bad(inService("backendTimeout"), s.BackendTimeout, fmt.Sprintf("%s is longer than timeout, which is %s", s.BackendTimeout, s.Timeout))
	}
}

// timeout checks a duration that may be zero, which is no timeout.
func (v *validator) timeout(path, value string) (time.Duration, bool) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		v.duration(path, value)
		return 0, false
	}
	return d, true
}

func (v *validator) hosts(hosts []string) {
	for i, host := range hosts {
		name := strings.TrimPrefix(host, "*.")
		if host == "*" || len(validation.IsDNS1123Subdomain(name)) == 0 {
			continue
		}
		v.bad(at(inService("hosts"), i), host, fmt.Sprintf("%q is not a host name, such as app.example.com or *.example.com", short(host)))
	}
}

// maxGateways is how many parents an HTTPRoute can have.
const maxGateways = 32

func (v *validator) gatewayRefs(refs []ParentReference) {
	path := inService("gatewayRefs")
	if len(refs) > maxGateways {
		v.bad(path, strconv.Itoa(len(refs)), fmt.Sprintf("%d gateways; an HTTPRoute can have at most %d", len(refs), maxGateways))
	}
	for i := range refs {
		ref, path := &refs[i], at(path, i)
		if v.required(path+".name", ref.Name, "the name of the Gateway") {
			v.name(path+".name", ref.Name)
		}
		if ref.Namespace != nil {
			v.label(path+".namespace", *ref.Namespace)
		}
		if ref.SectionName != nil {
			v.name(path+".sectionName", *ref.SectionName)
		}
		v.port(path+".port", ref.Port)
	}
}

func (v *validator) port(path string, port *int32) {
	if port != nil {
		v.within(path, int(*port), 1, 65535)
	}
}

// mirrors checks the additional backends that requests are copied to.
func (v *validator) mirrors(mirrors []RequestMirror) {
	for i := range mirrors {
		ref, path := &mirrors[i].BackendRef, at(inService("mirror"), i)+".backendRef"
		if v.required(path+".name", ref.Name, "the name of the Service to copy requests to") {
			v.name(path+".name", ref.Name)
		}
		if ref.Namespace != nil {
			v.label(path+".namespace", *ref.Namespace)
		}
		isService := (ref.Group == nil || *ref.Group == "") && (ref.Kind == nil || *ref.Kind == "Service")
		if ref.Port == nil && isService {
			v.missing(path+".port", "the port of the Service, between 1 and 65535")
		}
		v.port(path+".port", ref.Port)
	}
}
