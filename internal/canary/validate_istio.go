package canary

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	loadBalancers   = []string{"ROUND_ROBIN", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "LEAST_REQUEST"}
	upgradePolicies = []string{"DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"}
	tlsModes        = []string{"DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"}
	rewriteTypes    = []string{"ReplaceFullPath", "ReplacePrefixMatch"}
)

// istio checks the blocks of the service that come from Istio and the Gateway API.
func (v *validator) istio(s *Service) {
	for i := range s.Match {
		v.matchRequest(at(inService("match"), i), &s.Match[i], false)
	}
	if r := s.Retries; r != nil {
		v.atLeast(inService("retries.attempts"), int(r.Attempts), 0)
		v.duration(inService("retries.perTryTimeout"), r.PerTryTimeout)
	}
	if s.Rewrite != nil {
		v.oneOf(inService("rewrite.type"), s.Rewrite.Type, rewriteTypes)
	}
	if p := s.CorsPolicy; p != nil {
		v.duration(inService("corsPolicy.maxAge"), p.MaxAge)
		for i := range p.AllowOrigins {
			v.stringMatch(at(inService("corsPolicy.allowOrigins"), i), &p.AllowOrigins[i])
		}
	}
	v.mirrors(s.Mirror)
	v.trafficPolicy(s.TrafficPolicy)
}

// matchRequest checks the conditions of a match. A match without one would match every request.
func (v *validator) matchRequest(path string, m *HTTPMatchRequest, conditions bool) {
	empty := true
	for _, f := range []struct {
		name  string
		match *StringMatch
	}{{"uri", m.URI}, {"scheme", m.Scheme}, {"method", m.Method}, {"authority", m.Authority}} {
		if f.match != nil {
			empty = false
			v.stringMatch(path+"."+f.name, f.match)
		}
	}
	for _, f := range []struct {
		name    string
		matches map[string]StringMatch
	}{{"headers", m.Headers}, {"queryParams", m.QueryParams}, {"withoutHeaders", m.WithoutHeaders}} {
		for name, match := range f.matches {
			empty = false
			where := key(path+"."+f.name, name)
			if f.name != "queryParams" && name != strings.ToLower(name) {
				v.bad(where, name, fmt.Sprintf("the header name %q must be in lower case: %q", short(name), short(strings.ToLower(name))))
			}
			v.stringMatch(where, &match)
		}
	}
	if v.src.has(path + ".port") {
		empty = false
		v.within(path+".port", int(m.Port), 1, 65535)
	}
	empty = empty && len(m.SourceLabels) == 0 && len(m.Gateways) == 0 && m.SourceNamespace == ""
	if empty && conditions && !v.src.excused(path+".headers") {
		v.missing(path, "a condition such as headers: an empty one would match every request")
	}
}

// stringMatch checks that exactly one way of matching is set, and that a regular expression compiles.
func (v *validator) stringMatch(path string, m *StringMatch) {
	set := 0
	for _, f := range []struct {
		name string
		text *string
	}{{"exact", m.Exact}, {"prefix", m.Prefix}, {"suffix", m.Suffix}, {"regex", m.Regex}} {
		if f.text != nil || v.src.excused(path+"."+f.name) {
			set++
		}
	}
	if set == 0 {
		v.missing(path, "one of exact, prefix, suffix and regex")
	}
	if set > 1 {
		v.bad(path, "", "exact, prefix, suffix and regex exclude each other; keep one of them")
	}
	if m.Regex == nil {
		return
	}
	if _, err := regexp.Compile(*m.Regex); err != nil {
		v.bad(path+".regex", *m.Regex, fmt.Sprintf("%q is not a regular expression of RE2: %s", short(*m.Regex), short(strings.TrimPrefix(err.Error(), "error parsing regexp: "))))
	}
}

func (v *validator) trafficPolicy(p *TrafficPolicy) {
	if p == nil {
		return
	}
	path := inService("trafficPolicy")
	if p.TLS != nil {
		v.oneOf(path+".tls.mode", p.TLS.Mode, tlsModes)
	}
	if b := p.LoadBalancer; b != nil {
		v.loadBalancer(path+".loadBalancer", b)
	}
	if pool := p.ConnectionPool; pool != nil {
		if pool.HTTP != nil {
			v.oneOf(path+".connectionPool.http.h2UpgradePolicy", pool.HTTP.H2UpgradePolicy, upgradePolicies)
			v.duration(path+".connectionPool.http.idleTimeout", pool.HTTP.IdleTimeout)
		}
		if pool.TCP != nil {
			v.duration(path+".connectionPool.tcp.connectTimeout", pool.TCP.ConnectTimeout)
		}
	}
	if o := p.OutlierDetection; o != nil {
		path += ".outlierDetection"
		v.duration(path+".interval", o.Interval)
		v.duration(path+".baseEjectionTime", o.BaseEjectionTime)
		for name, percent := range map[string]*int32{"maxEjectionPercent": o.MaxEjectionPercent, "minHealthPercent": o.MinHealthPercent} {
			if percent != nil {
				v.within(path+"."+name, int(*percent), 0, 100)
			}
		}
	}
}

func (v *validator) loadBalancer(path string, b *LoadBalancer) {
	v.oneOf(path+".simple", b.Simple, loadBalancers)
	v.duration(path+".warmupDurationSecs", b.WarmupDurationSecs)
	h := b.ConsistentHash
	if h == nil {
		return
	}
	if b.Simple != "" {
		v.bad(path+".consistentHash", "", "simple and consistentHash exclude each other; keep one of them")
	}
	keys := 0
	for _, set := range []bool{h.HTTPHeaderName != "", h.HTTPCookie != nil, h.UseSourceIP, h.HTTPQueryParameterName != ""} {
		if set {
			keys++
		}
	}
	if keys != 1 {
		v.bad(path+".consistentHash", strconv.Itoa(keys),
			"exactly one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName is needed, not "+strconv.Itoa(keys))
	}
}
