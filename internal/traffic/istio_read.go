package traffic

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	// istioOriginal holds the spec that a VirtualService had before the canary. Flagger writes the same.
	istioOriginal = "flagger.kubernetes.io/original-configuration"

	// kubectlApplied holds the whole object that somebody has applied with kubectl.
	kubectlApplied = "kubectl.kubernetes.io/last-applied-configuration"
)

// keep returns the annotation that tells what the VirtualService was before, or nothing when it was made for the canary.
// It is kept as long as the canary has the route.
func (i *istioCodec) keep(live *unstructured.Unstructured, ours bool, want rollout.Route) string {
	if live == nil || ours || want.Handover {
		return ""
	}
	if i.managed(specOf(live)) {
		return live.GetAnnotations()[istioOriginal]
	}
	original, err := json.Marshal(i.plain(specOf(live)))
	if err != nil {
		return "" // what came from JSON goes into it
	}
	return string(original)
}

// original returns what of its spec the VirtualService had before the canary: what somebody has applied since, or else
// what was kept. It is nil when nothing is known, or when it sends requests to the canary itself.
func (i *istioCodec) original(live *unstructured.Unstructured) map[string]any {
	if live == nil || !i.managed(specOf(live)) {
		return nil
	}
	annotations := live.GetAnnotations()
	var applied struct {
		Spec map[string]any `json:"spec"`
	}
	var kept map[string]any
	_ = json.Unmarshal([]byte(annotations[kubectlApplied]), &applied)
	_ = json.Unmarshal([]byte(annotations[istioOriginal]), &kept)
	for _, spec := range []map[string]any{applied.Spec, kept} {
		if len(objects(spec, "http"))+len(objects(spec, "tcp")) > 0 && !i.managed(spec) {
			return i.plain(whole(spec).(map[string]any))
		}
	}
	return nil
}

// whole turns the numbers of a JSON document into those of an unstructured object.
func whole(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			v[key] = whole(field)
		}
	case []any:
		for n, element := range v {
			v[n] = whole(element)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}

func readIstio(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref := virtualServiceRef(c)
	service := live[ref]
	if service == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	i := newIstioCodec(c)
	spec := specOf(service)
	if !i.managed(spec) {
		return rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Handover: true}, Message: unmanaged(c, ref)}
	}
	report := rollout.RouteReport{Known: true, Route: i.read(objects(spec, i.field))}
	if !report.Managed {
		report.Message = fmt.Sprintf("%s has no route of the kind that spec.service.appProtocol asks for", ref)
		return report
	}
	for _, rule := range destinationRuleRefs(c) {
		if live[rule] == nil {
			report.Message = rule.String() + " does not exist yet"
			return report
		}
	}
	report.Settled = true
	return report
}

// read returns what the routes say: the last of Penstock's splits the requests, those before it take some out.
func (i *istioCodec) read(routes []map[string]any) rollout.Route {
	var mine []map[string]any
	for _, route := range routes {
		if i.ours(route, i.primary, i.canary) {
			mine = append(mine, route)
		}
	}
	if len(mine) == 0 {
		return rollout.Route{}
	}
	split := mine[len(mine)-1]
	route := rollout.Route{Managed: true, Canary: i.weight(split)}
	if i.hosts(map[string]any{"destination": split["mirror"]}, i.canary) {
		route.Mirror = rollout.Weight(number(object(split, "mirrorPercentage"), "value", 100))
	}
	session := i.cookie(split, i.canary)
	kept := map[rollout.Weight]bool{}
	for _, rule := range mine[:len(mine)-1] {
		previous, weight := i.takesBack(rule), i.weight(rule)
		switch {
		case previous != "":
			route.Previous = previous
		case i.keeper(rule, session, weight):
			kept[weight] = true
		case weight > 0:
			route.Match = true
		}
	}
	if a := affinity(i.spec); a != nil && kept[100] && (kept[0] || a.PrimaryCookieName == "") {
		route.Session = session
	}
	return route
}

// weight returns the canary's share. A destination that is alone needs no weight.
func (i *istioCodec) weight(route map[string]any) rollout.Weight {
	destinations := objects(route, "route")
	alone := 0.0
	if len(destinations) == 1 {
		alone = 100
	}
	var part, total float64
	for _, d := range destinations {
		weight := number(d, "weight", alone)
		total += weight
		if i.hosts(d, i.canary) {
			part += weight
		}
	}
	return share(part, total)
}

// setsCookie returns the session cookie that a Service's answers set by a route, as name=value with its attributes.
func (i *istioCodec) setsCookie(route map[string]any, service string) string {
	for _, d := range objects(route, "route") {
		value := text(object(object(object(d, "headers"), "response"), "add"), setCookie, "")
		if i.hosts(d, service) && sessionCookie.MatchString(value) {
			return value
		}
	}
	return ""
}

// cookie returns the value of the canary's session cookie that a Service's answers set by a route.
func (i *istioCodec) cookie(route map[string]any, service string) string {
	a := affinity(i.spec)
	if a == nil {
		return ""
	}
	value, found := strings.CutPrefix(i.setsCookie(route, service), a.CookieName+"=")
	if !found {
		return ""
	}
	value, _, _ = strings.Cut(value, ";")
	return value
}

// takesBack returns the value of the cookie that a route takes back, or nothing.
func (i *istioCodec) takesBack(route map[string]any) string {
	if !strings.Contains(i.setsCookie(route, i.primary), deleted) {
		return ""
	}
	return i.cookie(route, i.primary)
}

// keeper reports whether a route is the one that keeps on its side who has this session's cookie.
func (i *istioCodec) keeper(route map[string]any, session string, weight rollout.Weight) bool {
	a := affinity(i.spec)
	if a == nil || session == "" {
		return false
	}
	name := map[rollout.Weight]string{100: a.CookieName, 0: a.PrimaryCookieName}[weight]
	if name == "" {
		return false
	}
	matches, problems := i.both(affinityPath, []map[string]any{cookieCondition(name + "=" + session)})
	return len(problems) == 0 && reflect.DeepEqual(matches, objects(route, "match"))
}
