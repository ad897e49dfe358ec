package rehearsal

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// meshRouter is AWS App Mesh by a version of its API. In v1beta1 the routes are in the VirtualService of the apex, which
// is named by its host, in v1beta2 in a VirtualRouter.
func meshRouter(version string) router {
	kind := func(name, resource string) Kind {
		k := Kind{
			GroupVersionKind: schema.GroupVersionKind{Group: "appmesh.k8s.aws", Version: version, Kind: name},
			Resource:         resource, Namespaced: true, Generation: true, Status: true,
		}
		if version != "v1beta1" {
			k.Taken = meshTaken
		}
		return k
	}
	r := router{kinds: []Kind{kind("VirtualNode", "virtualnodes"), kind("VirtualService", "virtualservices")}, obey: obeyMesh}
	if version != "v1beta1" {
		r.kinds = append(r.kinds, kind("VirtualRouter", "virtualrouters"))
		return r
	}
	r.standIn = func(s *Stage, c *canary.Canary) error {
		if c.Spec.Service.MeshName == "" {
			c.Spec.Service.MeshName = "rehearsal"
			s.say("spec.service.meshName is not given: mesh %q", c.Spec.Service.MeshName)
		}
		return nil
	}
	return r
}

// meshTaken is what the controller of App Mesh reports of an object that it has found in, or made for, the mesh.
func meshTaken(object *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"observedGeneration": object.GetGeneration(),
		"conditions":         []any{map[string]any{"type": object.GetKind() + "Active", "status": "True"}},
	}
}

// obeyMesh follows the routes of the apex by their priority to the nodes, and these by their hosts to the Services.
func obeyMesh(r *Routing, seen routed) {
	behind := map[string]string{}
	var routes []map[string]any
	for ref, object := range seen.objects {
		spec := subObject(object.Object, "spec")
		switch {
		case ref.Kind == "VirtualNode":
			dns := subObject(subObject(spec, "serviceDiscovery"), "dns")
			host, _ := dns["hostname"].(string)
			if host == "" {
				host, _ = dns["hostName"].(string)
			}
			behind[ref.Name], _, _ = strings.Cut(host, ".")
		case spec["routes"] != nil && strings.TrimSuffix(ref.Name, "."+seen.canary.Namespace) == seen.canary.ServiceName():
			routes = subObjects(spec, "routes")
		}
	}
	slices.SortStableFunc(routes, func(a, b map[string]any) int { return cmp.Compare(priority(a), priority(b)) })
	var rules []Rule
	for _, route := range routes {
		for _, kind := range []string{"http", "httpRoute", "grpcRoute"} {
			do := subObject(route, kind)
			split, ours := weighted(subObjects(subObject(do, "action"), "weightedTargets"), func(target map[string]any) (string, float64) {
				name, _ := target["virtualNodeName"].(string)
				if ref := subObject(target, "virtualNodeRef"); ref != nil && (ref["namespace"] == nil || ref["namespace"] == seen.canary.Namespace) {
					name, _ = ref["name"].(string)
				}
				return behind[name], numberOr(target["weight"], 0)
			}, seen.services)
			if ours {
				rules = append(rules, Rule{Split: split, Match: meshMatch(subObject(do, "match"))})
			}
		}
	}
	r.inOrder(rules)
}

// priority is when a route is looked at: 0 first, and last where it is not given.
func priority(route map[string]any) float64 { return numberOr(route["priority"], 1001) }

// meshMatch reads the conditions of a route, all of which must hold. The metadata of gRPC are its headers. The scheme is
// that of the mesh, which the proxy does not know.
func meshMatch(match map[string]any) func(*http.Request) bool {
	var all []func(*http.Request) bool
	if prefix, found := match["prefix"].(string); found {
		all = append(all, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) })
	}
	if method, found := match["method"].(string); found {
		all = append(all, func(r *http.Request) bool { return r.Method == method })
	}
	for _, header := range append(subObjects(match, "headers"), subObjects(match, "metadata")...) {
		name, _ := header["name"].(string)
		compare := meshText(subObject(header, "match"))
		all = append(all, func(r *http.Request) bool {
			values := r.Header.Values(name)
			return len(values) > 0 && compare(strings.Join(values, ","))
		})
	}
	return func(r *http.Request) bool {
		return !slices.ContainsFunc(all, func(holds func(*http.Request) bool) bool { return !holds(r) })
	}
}

// meshText reads how a text is compared. A way that is not known never holds.
func meshText(match map[string]any) func(string) bool {
	for how, compare := range map[string]func(text, value string) bool{
		"exact":  func(text, value string) bool { return text == value },
		"prefix": strings.HasPrefix,
		"suffix": strings.HasSuffix,
		"regex": func(text, value string) bool {
			pattern, err := regexp.Compile("^(?:" + value + ")$")
			return err == nil && pattern.MatchString(text)
		},
	} {
		if value, found := match[how].(string); found {
			return func(text string) bool { return compare(text, value) }
		}
	}
	return func(string) bool { return false }
}
