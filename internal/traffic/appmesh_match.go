package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

const (
	meshRetryTime  = 250 * time.Millisecond // of one attempt, when spec.service.retries does not say it
	meshRetryEvent = "gateway-error"
)

// prefix is what the paths of the requests begin with.
func (m meshCodec) prefix() string {
	for _, match := range m.c.Spec.Service.Match {
		if match.URI != nil && match.URI.Prefix != nil && *match.URI.Prefix != "" {
			return *match.URI.Prefix
		}
	}
	return "/"
}

// timeout returns spec.service.timeout, for which v1beta1 has no field.
func (m meshCodec) timeout() map[string]any {
	d, err := time.ParseDuration(m.c.Spec.Service.Timeout)
	if err != nil || m.version == meshV1 {
		return nil
	}
	return map[string]any{"perRequest": map[string]any{"unit": "ms", "value": d.Milliseconds()}}
}

func (m meshCodec) retries() map[string]any {
	r := m.c.Spec.Service.Retries
	if r == nil {
		return nil
	}
	each := meshRetryTime
	if d, err := time.ParseDuration(r.PerTryTimeout); err == nil {
		each = d
	}
	policy := map[string]any{"maxRetries": int64(max(r.Attempts, 1))}
	for event := range strings.SplitSeq(or(r.RetryOn, meshRetryEvent), ",") {
		event = strings.TrimSpace(event)
		if field := m.retryField(event); field != "" { // the others were refused
			events, _ := policy[field].([]any)
			policy[field] = append(events, event)
		}
	}
	if m.version == meshV1 {
		policy["perRetryTimeoutMillis"] = each.Milliseconds()
	} else {
		policy["perRetryTimeout"] = map[string]any{"unit": "ms", "value": each.Milliseconds()}
	}
	return policy
}

// retryField returns the list that an event is in, or nothing for one that App Mesh does not know.
func (m meshCodec) retryField(event string) string {
	switch event {
	case "server-error", "gateway-error", "client-error", "stream-error":
		return "httpRetryEvents"
	case "connection-error":
		return "tcpRetryEvents"
	case "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable":
		if m.field() == "grpcRoute" {
			return "grpcRetryEvents"
		}
	}
	return ""
}

func (m meshCodec) limits() []string {
	_, problems := m.testMatches()
	for i := range m.c.Spec.Service.Match {
		if uri := m.c.Spec.Service.Match[i].URI; uri != nil && (uri.Prefix == nil || i > 0) {
			problems = append(problems, fmt.Sprintf("spec.service.match[%d].uri: App Mesh has one prefix for the canary's route, as the first of the matches", i))
		}
	}
	if r := m.c.Spec.Service.Retries; r != nil && r.RetryOn != "" {
		for event := range strings.SplitSeq(r.RetryOn, ",") {
			if event = strings.TrimSpace(event); m.retryField(event) == "" {
				problems = append(problems, fmt.Sprintf("spec.service.retries.retryOn: App Mesh has no event %q; it has server-error, gateway-error, client-error, "+
					"stream-error and connection-error", event))
			}
		}
	}
	if s := m.c.Spec.Service.Timeout; s != "" {
		if d, err := time.ParseDuration(s); err != nil || d < time.Millisecond {
			problems = append(problems, fmt.Sprintf("spec.service.timeout: %q is not a number of milliseconds or more, which App Mesh counts in", s))
		}
	}
	return problems
}

// testMatches returns the conditions of an A/B test, one route for each element, or what App Mesh has no words for.
func (m meshCodec) testMatches() (matches []map[string]any, problems []string) {
	if m.c.Spec.Analysis == nil {
		return nil, nil
	}
	all := m.c.Spec.Analysis.Match
	if len(all) > meshRest-meshTest {
		problems = append(problems, fmt.Sprintf("%s: it has %d elements; the appmesh router has routes for %d", analysisMatch, len(all), meshRest-meshTest))
	}
	for i := range all {
		match, wrong := m.testMatch(fmt.Sprintf("%s[%d]", analysisMatch, i), &all[i])
		matches, problems = append(matches, match), append(problems, wrong...)
	}
	return matches, problems
}

func (m meshCodec) testMatch(path string, request *canary.HTTPMatchRequest) (match map[string]any, problems []string) {
	refuse := func(field, why string) { problems = append(problems, path+field+": "+why) }
	match = map[string]any{}
	grpc := m.field() == "grpcRoute"
	for _, condition := range otherConditions(request) {
		switch {
		case condition == sourceLabels:
			refuse("."+condition, "App Mesh does not know the labels of the pod that sends a request; match a header instead")
		case grpc:
			refuse("."+condition, "the appmesh router matches requests of gRPC by headers only")
		case !slices.Contains([]string{"uri", "method", "scheme"}, condition):
			refuse("."+condition, "App Mesh has no such condition; it has uri.prefix, method, scheme and headers")
		}
	}
	if !grpc {
		if uri := request.URI; uri != nil {
			if uri.Prefix == nil || !strings.HasPrefix(*uri.Prefix, m.prefix()) {
				refuse(".uri", fmt.Sprintf("App Mesh matches a prefix only, here one that begins with %q", m.prefix()))
			} else {
				match["prefix"] = *uri.Prefix
			}
		}
		for _, exact := range []struct {
			field string
			match *canary.StringMatch
		}{{"method", request.Method}, {"scheme", request.Scheme}} {
			switch {
			case exact.match == nil:
			case exact.match.Exact == nil || *exact.match.Exact == "":
				refuse("."+exact.field, "App Mesh matches exact: only")
			default:
				match[exact.field] = *exact.match.Exact
			}
		}
	}
	headers, wrong := meshHeaders(path, request.Headers)
	problems = append(problems, wrong...)
	switch {
	case len(headers) > 0 && grpc:
		match["metadata"] = headers
	case len(headers) > 0:
		match["headers"] = headers
	case len(match) == 0 && len(problems) == 0:
		refuse("", "it has no condition, so it would match every request")
	}
	return match, problems
}

func meshHeaders(path string, conditions map[string]canary.StringMatch) (headers []any, problems []string) {
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		how, value := meshText(conditions[name])
		if value == "" {
			problems = append(problems, fmt.Sprintf("%s.headers[%q]: App Mesh cannot compare with an empty text", path, name))
		}
		headers = append(headers, map[string]any{"name": name, "match": map[string]any{how: value}})
	}
	return headers, problems
}

// meshText returns how a text is compared; App Mesh has all the ways.
func meshText(m canary.StringMatch) (how, value string) {
	switch {
	case m.Exact != nil:
		return "exact", *m.Exact
	case m.Prefix != nil:
		return "prefix", *m.Prefix
	case m.Suffix != nil:
		return "suffix", *m.Suffix
	case m.Regex != nil:
		return "regex", *m.Regex
	}
	return "exact", ""
}
