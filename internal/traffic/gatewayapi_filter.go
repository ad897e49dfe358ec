package traffic

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// The types of filters that are rendered.
const (
	filterRequest  = "RequestHeaderModifier"
	filterResponse = "ResponseHeaderModifier"
	filterRewrite  = "URLRewrite"
	filterMirror   = "RequestMirror"
	filterCORS     = "CORS"

	replacePrefix = "ReplacePrefixMatch"
)

// routeFilters returns the filters that spec.service asks for, or what an HTTPRoute has no words for.
func routeFilters(c *canary.Canary) (filters []map[string]any, problems []string) {
	s := &c.Spec.Service
	if s.Headers != nil {
		for _, side := range []struct {
			kind, field string
			operations  *canary.HeaderOperations
		}{
			{filterRequest, "requestHeaderModifier", s.Headers.Request}, {filterResponse, "responseHeaderModifier", s.Headers.Response},
		} {
			if modifier := headerModifier(side.operations); len(modifier) > 0 {
				filters = append(filters, map[string]any{"type": side.kind, side.field: modifier})
			}
		}
	}
	if rewrite := urlRewrite(s.Rewrite); len(rewrite) > 0 {
		filters = append(filters, map[string]any{"type": filterRewrite, "urlRewrite": rewrite})
	}
	if s.CorsPolicy != nil {
		cors, wrong := corsFilter(s.CorsPolicy)
		filters, problems = append(filters, map[string]any{"type": filterCORS, "cors": cors}), append(problems, wrong...)
	}
	for i := range s.Mirror {
		if s.Mirror[i].BackendRef.Name == c.ServiceName()+canarySuffix {
			problems = append(problems, fmt.Sprintf("spec.service.mirror[%d].backendRef.name: %q is the canary itself; use spec.analysis.mirror",
				i, s.Mirror[i].BackendRef.Name))
		}
		filters = append(filters, mirrorFilter(&s.Mirror[i].BackendRef))
	}
	return filters, problems
}

func headerModifier(operations *canary.HeaderOperations) map[string]any {
	if operations == nil {
		return nil
	}
	modifier := map[string]any{}
	for field, headers := range map[string]map[string]string{"set": operations.Set, "add": operations.Add} {
		var named []any
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			named = append(named, map[string]any{"name": name, "value": headers[name]})
		}
		if named != nil {
			modifier[field] = named
		}
	}
	if len(operations.Remove) > 0 {
		modifier["remove"] = texts(operations.Remove)
	}
	return modifier
}

// urlRewrite replaces the whole path unless the type says otherwise, as in Flagger.
func urlRewrite(r *canary.HTTPRewrite) map[string]any {
	rewrite := map[string]any{}
	if r == nil {
		return rewrite
	}
	if r.Authority != "" {
		rewrite["hostname"] = r.Authority
	}
	if r.URI != "" {
		rewrite["path"] = map[string]any{"type": "ReplaceFullPath", "replaceFullPath": r.URI}
		if r.Type == replacePrefix {
			rewrite["path"] = map[string]any{"type": r.Type, "replacePrefixMatch": r.URI}
		}
	}
	return rewrite
}

// prefixRewrite reports a rewrite of the prefix in a rule that has not exactly one prefix, which the API refuses.
func prefixRewrite(c *canary.Canary) []string {
	r := c.Spec.Service.Rewrite
	if r == nil || r.URI == "" || r.Type != replacePrefix {
		return nil
	}
	service, problems := serviceMatches(c)
	if len(problems) > 0 {
		return nil // said already
	}
	fits := len(service) == 1 && service[0].path.kind == matchPrefix
	if a := c.Spec.Analysis; a != nil && len(a.Match) > 0 {
		test, _ := analysisMatches(c)
		fits = fits && len(test) == 1 && test[0].path.kind == matchPrefix
	}
	if fits {
		return nil
	}
	return []string{"spec.service.rewrite.type: " + replacePrefix + " needs exactly one match in spec.service.match, by uri.prefix, and at most one in " +
		analysisMatch + "; several are possible with ReplaceFullPath"}
}

func corsFilter(p *canary.CorsPolicy) (map[string]any, []string) {
	const path = "spec.service.corsPolicy"
	var problems []string
	origins := slices.Clone(p.AllowOrigin)
	for i, origin := range p.AllowOrigins {
		if origin.Exact == nil {
			problems = append(problems, fmt.Sprintf("%s.allowOrigins[%d]: an HTTPRoute takes exact origins only, such as exact: https://example.com", path, i))
			continue
		}
		origins = append(origins, *origin.Exact)
	}
	cors := map[string]any{}
	for field, values := range map[string][]string{
		"allowOrigins": origins, "allowMethods": p.AllowMethods, "allowHeaders": p.AllowHeaders, "exposeHeaders": p.ExposeHeaders,
	} {
		if len(values) > 0 {
			cors[field] = texts(values)
		}
	}
	if p.AllowCredentials {
		cors["allowCredentials"] = true
	}
	if d, err := time.ParseDuration(p.MaxAge); err == nil && d >= time.Second {
		cors["maxAge"] = int64(d / time.Second)
	}
	return cors, problems
}

func mirrorFilter(backend *canary.BackendRef) map[string]any {
	ref := map[string]any{"group": "", "kind": serviceKind, "name": backend.Name}
	for field, value := range map[string]*string{"group": backend.Group, "kind": backend.Kind, "namespace": backend.Namespace} {
		if value != nil {
			ref[field] = *value
		}
	}
	if backend.Port != nil {
		ref["port"] = int64(*backend.Port)
	}
	return map[string]any{"type": filterMirror, "requestMirror": map[string]any{"backendRef": ref}}
}

// mirror returns the filter that copies requests to the canary.
func (r *ruleCodec) mirror(weight rollout.Weight) map[string]any {
	port := r.spec.Spec.Service.Port
	filter := mirrorFilter(&canary.BackendRef{Name: r.canary, Port: &port})
	if weight < 100 {
		object(filter, "requestMirror")["percent"] = int64(weight)
	}
	return filter
}

// mirrors reports whether a filter copies requests to the canary.
func (r *ruleCodec) mirrors(filter map[string]any) bool {
	return text(filter, "type", "") == filterMirror && r.names(object(object(filter, "requestMirror"), "backendRef"), r.canary)
}

// mirrorShare returns the share of the requests that a filter copies.
func mirrorShare(mirror map[string]any) rollout.Weight {
	if fraction := object(mirror, "fraction"); fraction != nil {
		return share(number(fraction, "numerator", 0), number(fraction, "denominator", 100))
	}
	return share(number(mirror, "percent", 100), 100)
}

// mergeFilters returns the wanted filters in the places of the live ones of their kind, and among them those of others. A
// rule can have many mirrors but one filter of each other type, so the wanted one replaces it.
func (r *ruleCodec) mergeFilters(live, wanted []map[string]any) []map[string]any {
	wanted = slices.Clone(wanted)
	var merged []map[string]any
	for _, filter := range live {
		i := slices.IndexFunc(wanted, func(w map[string]any) bool { return r.sameFilter(w, filter) })
		switch {
		case i >= 0:
			merged = append(merged, wanted[i])
			wanted = slices.Delete(wanted, i, i+1)
		case !r.mirrors(filter):
			merged = append(merged, clone(filter))
		}
	}
	return append(merged, wanted...)
}

// sameFilter reports whether two filters are the same in what they stand for.
func (r *ruleCodec) sameFilter(a, b map[string]any) bool {
	kind := text(a, "type", "")
	if kind != text(b, "type", "") {
		return false
	}
	if kind != filterMirror {
		return true
	}
	return reflect.DeepEqual(r.target(a), r.target(b))
}

// target names the backend of a mirror, defaults filled in.
func (r *ruleCodec) target(filter map[string]any) [5]string {
	ref := object(object(filter, "requestMirror"), "backendRef")
	return [5]string{
		text(ref, "group", ""), text(ref, "kind", serviceKind), text(ref, "namespace", r.spec.Namespace), text(ref, "name", ""),
		fmt.Sprint(number(ref, "port", 0)),
	}
}
