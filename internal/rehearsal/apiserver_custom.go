package rehearsal

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// defaultHTTPRoute fills in the defaults that the definition of an HTTPRoute declares.
func defaultHTTPRoute(object *unstructured.Unstructured) {
	spec := subObject(object.Object, "spec")
	for _, parent := range subObjects(spec, "parentRefs") {
		fillField(parent, "group", gatewayGroup)
		fillField(parent, "kind", "Gateway")
	}
	for _, rule := range subObjects(spec, "rules") {
		fillField(rule, "matches", []any{map[string]any{}})
		for _, m := range subObjects(rule, "matches") {
			fillField(m, "path", map[string]any{})
			fillField(subObject(m, "path"), "type", "PathPrefix")
			fillField(subObject(m, "path"), "value", "/")
			for _, header := range slices.Concat(subObjects(m, "headers"), subObjects(m, "queryParams")) {
				fillField(header, "type", "Exact")
			}
		}
		for _, backend := range subObjects(rule, "backendRefs") {
			defaultBackend(backend)
			fillField(backend, "weight", int64(1))
		}
		for _, filter := range subObjects(rule, "filters") {
			defaultBackend(subObject(subObject(filter, "requestMirror"), "backendRef"))
		}
	}
}

const gatewayGroup = "gateway.networking.k8s.io"

func defaultBackend(backend map[string]any) {
	fillField(backend, "group", "")
	fillField(backend, "kind", "Service")
}

// subObject returns the object in a field, or nil.
func subObject(object map[string]any, name string) map[string]any {
	value, _ := object[name].(map[string]any)
	return value
}

// subObjects returns the objects of a list, leaving out what is none.
func subObjects(object map[string]any, name string) []map[string]any {
	list, _ := object[name].([]any)
	var found []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// fillField sets a field that is not there.
func fillField(object map[string]any, name string, value any) {
	if object == nil {
		return
	}
	if _, found := object[name]; !found {
		object[name] = value
	}
}
