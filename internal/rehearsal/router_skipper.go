package rehearsal

import (
	"encoding/json"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// skipperRouter is Zalando's Skipper, as far as its weights and its precedence go.
var skipperRouter = router{
	standIn: standInIngress,
	obey: func(r *Routing, seen routed) {
		for ref, object := range seen.objects {
			if ref.Kind == "Ingress" && ref.Name != seen.canary.Spec.IngressRef.Name {
				r.obeyBackendWeights(object, seen.services)
			}
		}
	},
}

// skipperWeight is a predicate that gives a route precedence over the user's.
var skipperWeight = regexp.MustCompile(`^Weight\([1-9][0-9]*\)$`)

// obeyBackendWeights makes the proxy split the first path of an Ingress that names one of the two Services, among all the
// backends that it has there. A route whose predicates never hold, or that has no precedence, has no requests.
func (r *Routing) obeyBackendWeights(ingress *unstructured.Unstructured, services [2]string) {
	annotations := ingress.GetAnnotations()
	first := false
	for _, predicate := range strings.Split(annotations["zalando.org/skipper-predicate"], "&&") {
		switch predicate = strings.TrimSpace(predicate); {
		case predicate == "False()":
			return
		case skipperWeight.MatchString(predicate):
			first = true
		}
	}
	if !first {
		return
	}
	weights := map[string]float64{}
	// Skipper ignores what it cannot read, and then gives all backends the same.
	_ = json.Unmarshal([]byte(annotations["zalando.org/backend-weights"]), &weights)
	for _, rule := range subObjects(subObject(ingress.Object, "spec"), "rules") {
		backends := subObjects(subObject(rule, "http"), "paths")
		named := map[string]float64{}
		for _, backend := range backends {
			if backend["path"] == backends[0]["path"] {
				name, _ := backendName(backend)
				named[name] = weights[name]
			}
		}
		if sum(named) == 0 {
			for name := range named {
				named[name] = 1
			}
		}
		r.weigh(backends, func(backend map[string]any) (string, float64) {
			name, _ := backendName(backend)
			weight := named[name]
			delete(named, name) // each counts once, however many paths it has
			return name, weight
		}, services)
	}
}

func backendName(path map[string]any) (string, bool) {
	name, found := subObject(subObject(path, "backend"), "service")["name"].(string)
	return name, found
}

func sum(weights map[string]float64) float64 {
	total := 0.0
	for _, weight := range weights {
		total += weight
	}
	return total
}
