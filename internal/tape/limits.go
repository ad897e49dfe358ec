package tape

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits lists what GitHub would refuse of a request, or take for something else, although its OpenAPI description
// allows it. The numbers are of GitHub's documentation of each endpoint.
func Limits(r Request) []string {
	p := &problems{}
	p.headers(r)
	if size := r.Query["per_page"]; size != "" {
		if n, err := strconv.Atoi(size); err != nil || n < 1 || n > 100 {
			p.add("per_page is %q, and must be 1 to 100", size)
		}
	}
	body, _ := r.Body.(map[string]any)
	for _, e := range endpoints {
		if slices.Contains(e.methods, r.Method) && e.path.MatchString(r.Path) {
			e.check(p, r.Method, body)
		}
	}
	return p.all
}

// endpoints are those with limits that the description lacks.
var endpoints = []struct {
	methods []string
	path    *regexp.Regexp
	check   func(p *problems, method string, body map[string]any)
}{
	{[]string{"POST", "PATCH"}, regexp.MustCompile(`/check-runs(/[0-9]+)?$`), checkRun},
	{[]string{"POST", "PATCH"}, regexp.MustCompile(`/issues/([0-9]+/comments|comments/[0-9]+)$`), comment},
	{[]string{"POST"}, regexp.MustCompile(`/deployments$`), deployment},
	{[]string{"POST"}, regexp.MustCompile(`/deployments/[0-9]+/statuses$`), deploymentStatus},
	{[]string{"POST"}, regexp.MustCompile(`/statuses/[0-9a-f]{40}$`), commitStatus},
	{[]string{"POST"}, regexp.MustCompile(`/deployment_protection_rule$`), protectionRule},
	{[]string{"POST"}, regexp.MustCompile(`/repos/[^/]+/[^/]+/dispatches$`), repositoryDispatch},
	{[]string{"POST"}, regexp.MustCompile(`/workflows/[^/]+/dispatches$`), workflowDispatch},
}

type problems struct{ all []string }

func (p *problems) add(format string, args ...any) {
	p.all = append(p.all, fmt.Sprintf(format, args...))
}

func (p *problems) headers(r Request) {
	if r.Headers["User-Agent"] == "" {
		p.add("User-Agent is missing, and GitHub refuses a request without one")
	}
	if r.Method != http.MethodGet && r.Body != nil && !strings.HasPrefix(r.Headers["Content-Type"], "application/json") {
		p.add("Content-Type is %q, and must be application/json", r.Headers["Content-Type"])
	}
	for accept := range strings.SplitSeq(r.Headers["Accept"], ",") {
		if accept = strings.TrimSpace(accept); accept != "application/json" && !strings.HasPrefix(accept, "application/vnd.github.") {
			p.add("Accept holds %q, and GitHub knows application/json and types that begin with application/vnd.github.", accept)
		}
	}
	if r.Headers["Authorization"] == "" {
		p.add("Authorization is missing")
	}
}

// length demands a text of min to max characters.
func (p *problems) length(body map[string]any, name string, minimum, maximum int) {
	value, _ := body[name].(string)
	if n := utf8.RuneCountInString(value); n < minimum || n > maximum {
		p.add("%s has %d characters, and must have %d to %d", name, n, minimum, maximum)
	}
}

// count demands no more than so many elements.
func (p *problems) count(body map[string]any, name string, maximum int) []any {
	list, _ := body[name].([]any)
	if len(list) > maximum {
		p.add("%s has %d elements, and must have %d at most", name, len(list), maximum)
	}
	return list
}

// oneOf demands one of GitHub's words.
func (p *problems) oneOf(body map[string]any, name string, allowed ...string) {
	if value, _ := body[name].(string); !slices.Contains(allowed, value) {
		p.add("%s is %q, and must be one of %q", name, value, allowed)
	}
}

// link demands an address with a scheme where there is one at all.
func (p *problems) link(body map[string]any, names ...string) {
	for _, name := range names {
		value, _ := body[name].(string)
		if value != "" && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "http://") {
			p.add("%s is %q, and must begin with https:// or http://", name, value)
		}
	}
}

func checkRun(p *problems, method string, body map[string]any) {
	status, _ := body["status"].(string)
	conclusion, concluded := body["conclusion"].(string)
	if status == "completed" && !concluded {
		p.add("status is completed, and the conclusion is missing")
	}
	if concluded && status != "completed" {
		p.add("the conclusion is %q, and the status is %q; a conclusion completes a check run by itself", conclusion, status)
	}
	if concluded { // stale is GitHub's own to set
		p.oneOf(body, "conclusion", "action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
	}
	if status != "" { // waiting, requested and pending are those of GitHub Actions alone
		p.oneOf(body, "status", "queued", "in_progress", "completed")
	}
	p.link(body, "details_url")
	if method == http.MethodPost && !commit.MatchString(fmt.Sprint(body["head_sha"])) {
		p.add("head_sha is %q, and must be a whole commit", body["head_sha"])
	}
	if output, ok := body["output"].(map[string]any); ok {
		if method == http.MethodPost || output["title"] != nil {
			p.length(output, "title", 1, 255)
		}
		p.length(output, "summary", 1, 65535)
		p.length(output, "text", 0, 65535)
		p.count(output, "annotations", 50)
	}
	for _, a := range p.count(body, "actions", 3) {
		action, _ := a.(map[string]any)
		p.length(action, "label", 1, 20)
		p.length(action, "description", 1, 40)
		p.length(action, "identifier", 1, 20)
	}
}

func comment(p *problems, _ string, body map[string]any) { p.length(body, "body", 1, 65536) }

func deployment(p *problems, _ string, body map[string]any) {
	if merge, given := body["auto_merge"].(bool); !given || merge {
		p.add("auto_merge is not false: GitHub would merge the default branch into the ref")
	}
	if contexts, given := body["required_contexts"].([]any); !given || len(contexts) > 0 {
		p.add("required_contexts is no empty list: the job's own check, which is still running, would refuse the deployment")
	}
	p.length(body, "ref", 1, 255)
	p.length(body, "description", 0, 140)
}

func deploymentStatus(p *problems, _ string, body map[string]any) {
	p.oneOf(body, "state", "error", "failure", "inactive", "in_progress", "queued", "pending", "success")
	p.length(body, "description", 0, 140)
	p.link(body, "log_url", "environment_url", "target_url")
}

func commitStatus(p *problems, _ string, body map[string]any) {
	p.oneOf(body, "state", "error", "failure", "pending", "success")
	p.length(body, "description", 0, 140)
	p.length(body, "context", 1, 255)
	p.link(body, "target_url")
}

func protectionRule(p *problems, _ string, body map[string]any) {
	p.length(body, "environment_name", 1, 255)
	p.length(body, "comment", 0, 1024)
	if body["state"] != nil { // a report of how it stands has none
		p.oneOf(body, "state", "approved", "rejected")
	}
}

func repositoryDispatch(p *problems, _ string, body map[string]any) {
	p.length(body, "event_type", 1, 100)
	payload, _ := body["client_payload"].(map[string]any)
	if len(payload) > 10 {
		p.add("client_payload has %d properties, and must have 10 at most", len(payload))
	}
	if text, err := json.Marshal(payload); err != nil || len(text) >= 64<<10 {
		p.add("client_payload has %d bytes, and must have fewer than %d", len(text), 64<<10)
	}
}

func workflowDispatch(p *problems, _ string, body map[string]any) {
	p.length(body, "ref", 1, 255)
	if inputs, _ := body["inputs"].(map[string]any); len(inputs) > 25 {
		p.add("inputs has %d properties, and must have 25 at most", len(inputs))
	}
}
