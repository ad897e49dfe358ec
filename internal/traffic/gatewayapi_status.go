package traffic

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// unsettled says which gateway has not taken up the present generation of a route, and why. It is empty when every
// gateway of spec.service.gatewayRefs has.
func unsettled(c *canary.Canary, route *unstructured.Unstructured) string {
	wanted := parentRefs(c)
	status := objects(object(route.Object, "status"), "parents")
	var reasons []string
	silent := 0
	for _, ref := range wanted {
		answered := false
		for _, parent := range status {
			if !sameParent(ref, object(parent, "parentRef"), route.GetNamespace()) {
				continue
			}
			answered = true
			if reason := objection(parent, route.GetGeneration()); reason != "" {
				reasons = append(reasons, describeParent(ref, route.GetNamespace())+" "+reason)
			}
		}
		if !answered {
			silent++
			reasons = append(reasons, describeParent(ref, route.GetNamespace())+" has not accepted the route yet")
		}
	}
	if silent == len(wanted) {
		return fmt.Sprintf("no gateway has accepted %s yet; waiting for %s", routeRef(c), strings.TrimSuffix(describeParents(wanted, route.GetNamespace()), ","))
	}
	return strings.Join(reasons, "; ")
}

// objection says what keeps a gateway from serving the present generation of a route, in the gateway's own words.
func objection(parent map[string]any, generation int64) string {
	conditions := map[string]map[string]any{}
	for _, condition := range objects(parent, "conditions") {
		conditions[text(condition, "type", "")] = condition
	}
	accepted, found := conditions["Accepted"]
	controller := text(parent, "controllerName", "")
	if !found {
		return fmt.Sprintf("has not accepted the route yet (%s)", controller)
	}
	if seen := int64(number(accepted, "observedGeneration", 0)); seen < generation {
		return fmt.Sprintf("has not taken up the latest change of the route yet (%s has seen generation %d of %d)", controller, seen, generation)
	}
	if status := text(accepted, "status", ""); status != "True" {
		return "does not accept the route: " + words(accepted)
	}
	if resolved := conditions["ResolvedRefs"]; text(resolved, "status", "") == "False" {
		return "cannot follow a reference of the route: " + words(resolved)
	}
	// The gateway drops the rules that it does not understand, or goes on with an earlier generation.
	if partly := conditions["PartiallyInvalid"]; text(partly, "status", "") == "True" {
		return "has taken up only a part of the route: " + words(partly)
	}
	return ""
}

// words returns the reason and the message of a condition.
func words(condition map[string]any) string {
	reason, message := text(condition, "reason", "no reason given"), text(condition, "message", "")
	if message == "" {
		return reason
	}
	return reason + ": " + message
}

// sameParent compares references of the spec and of the status, which may leave out or fill in defaults.
func sameParent(a, b map[string]any, namespace string) bool {
	return reflect.DeepEqual(fullParent(a, namespace), fullParent(b, namespace))
}

func fullParent(ref map[string]any, namespace string) [6]string {
	return [6]string{
		text(ref, "group", gatewayGroup), text(ref, "kind", gatewayKind), text(ref, "namespace", namespace),
		text(ref, "name", ""), text(ref, "sectionName", ""), fmt.Sprint(number(ref, "port", 0)),
	}
}

func describeParents(refs []map[string]any, namespace string) string {
	names := make([]string, 0, len(refs))
	for _, ref := range refs {
		names = append(names, describeParent(ref, namespace))
	}
	return strings.Join(names, ", ")
}

// describeParent names a parent as people read it, such as `Gateway "infra/public", listener https,`.
func describeParent(ref map[string]any, namespace string) string {
	name := fmt.Sprintf("%s %q", text(ref, "kind", gatewayKind), text(ref, "namespace", namespace)+"/"+text(ref, "name", ""))
	if section := text(ref, "sectionName", ""); section != "" {
		name += fmt.Sprintf(", listener %s,", section)
	}
	if port := number(ref, "port", 0); port > 0 {
		name = fmt.Sprintf("%s, port %d,", strings.TrimSuffix(name, ","), int(port))
	}
	return name
}
