package traffic

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// routeAnnotation of a Canary says of which kind its route is. Flagger knows no other than HTTPRoute, so that a canary
// which changes hands keeps its route.
const routeAnnotation = "penstock.dev/route"

// grpcRoute reports whether the canary's route is a GRPCRoute.
func grpcRoute(c *canary.Canary) bool { return c.Annotations[routeAnnotation] == "GRPCRoute" }

func (r *ruleCodec) grpc() bool { return grpcRoute(r.spec) }

// match gives a rule its matches. In a GRPCRoute a path is the method that is called, and one match that every request
// meets is left out, as the API wants it.
func (r *ruleCodec) match(rule map[string]any, matches []routeMatch) {
	all := matchObjects(matches)
	if r.grpc() {
		for i, o := range all {
			delete(o, "path")
			if method := grpcMethod(matches[i].path); method != nil {
				o["method"] = method
			}
		}
		if len(all) == 1 && len(all[0]) == 0 {
			delete(rule, "matches")
			return
		}
	}
	rule["matches"] = list(all)
}

// grpcMethod is the method that a path names: /package.Service/Method, or all of a Service with the path as a prefix.
func grpcMethod(path valueMatch) map[string]any {
	service, method, _ := strings.Cut(strings.Trim(path.value, "/"), "/")
	if service == "" {
		return nil
	}
	named := map[string]any{"type": matchExact, "service": service}
	if method != "" {
		named["method"] = method
	}
	return named
}

// grpcPath is the path that a live method stands for, as an HTTPRoute would have it.
func grpcPath(method map[string]any) map[string]any {
	service, name := text(method, "service", ""), text(method, "method", "")
	switch {
	case method == nil:
		return nil
	case text(method, "type", matchExact) != matchExact, service == "":
		return map[string]any{"type": matchRegex, "value": "/" + service + "/" + name} // a foreign rule
	case name == "":
		return map[string]any{"type": matchPrefix, "value": "/" + service}
	}
	return map[string]any{"type": matchExact, "value": "/" + service + "/" + name}
}

// grpcLimits lists what a GRPCRoute has no words for.
func grpcLimits(c *canary.Canary) []string {
	value, set := c.Annotations[routeAnnotation]
	if !set || value == "HTTPRoute" {
		return nil
	}
	if !grpcRoute(c) {
		return []string{fmt.Sprintf("metadata.annotations[%s]: %q is not known; allowed are HTTPRoute and GRPCRoute", routeAnnotation, value)}
	}
	var problems []string
	if c.Spec.Provider == "gatewayapi:v1beta1" {
		problems = append(problems, "metadata.annotations["+routeAnnotation+"]: there is no GRPCRoute in v1beta1; use the provider gatewayapi:v1")
	}
	s := &c.Spec.Service
	for _, asked := range []struct {
		field string
		set   bool
	}{
		{"spec.service.timeout", s.Timeout != ""}, {"spec.service.backendTimeout", s.BackendTimeout != ""},
		{"spec.service.rewrite", s.Rewrite != nil}, {"spec.service.corsPolicy", s.CorsPolicy != nil},
		{affinityPath, affinity(c) != nil},
	} {
		if asked.set {
			problems = append(problems, asked.field+": a GRPCRoute has no such thing")
		}
	}
	problems = append(problems, grpcMatchLimits("spec.service.match", s.Match)...)
	if c.Spec.Analysis != nil {
		problems = append(problems, grpcMatchLimits(analysisMatch, c.Spec.Analysis.Match)...)
	}
	return problems
}

// grpcMatchLimits reports matches of what a call has not.
func grpcMatchLimits(path string, matches []canary.HTTPMatchRequest) []string {
	var problems []string
	for i := range matches {
		m := &matches[i]
		if m.Method != nil || len(m.QueryParams) > 0 {
			problems = append(problems, fmt.Sprintf("%s[%d]: a GRPCRoute matches by uri and headers; it has no method and no queryParams", path, i))
		}
		if m.URI == nil {
			continue
		}
		exact, prefix := "", ""
		if m.URI.Exact != nil {
			exact = *m.URI.Exact
		}
		if m.URI.Prefix != nil {
			prefix = *m.URI.Prefix
		}
		parts := strings.Count(strings.Trim(exact+prefix, "/"), "/") + 1
		if exact != "" && parts != 2 || prefix != "" && parts != 1 || exact+prefix == "" {
			problems = append(problems, fmt.Sprintf("%s[%d].uri: a GRPCRoute takes exact: /package.Service/Method or prefix: /package.Service", path, i))
		}
	}
	return problems
}
