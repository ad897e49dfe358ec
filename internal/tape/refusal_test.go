package tape

import (
	"os"
	"strings"
	"testing"
)

// post is a request as Penstock makes them, with a body of its own.
func post(path string, body map[string]any) Request {
	return Request{Method: "POST", Path: "/repos/octo-org/shop" + path, Body: body, Headers: map[string]string{
		"Accept": "application/vnd.github.v3+json", "Authorization": "Bearer token", "Content-Type": "application/json", "User-Agent": "penstock",
	}}
}

func check(fields map[string]any) Request {
	body := map[string]any{"name": "Canary", "head_sha": anySHA, "status": "in_progress", "output": map[string]any{"title": "t", "summary": "s"}}
	for name, value := range fields {
		body[name] = value
	}
	return post("/check-runs", body)
}

// TestTheDescriptionRefuses proves that a replay can fail: each of these is wrong in one way.
func TestTheDescriptionRefuses(t *testing.T) {
	t.Parallel()
	server := os.Getenv("PRISM_URL")
	if server == "" {
		t.Skip("PRISM_URL is not set; .ci/prism sets it")
	}
	label := []any{map[string]any{"label": strings.Repeat("x", 25), "description": "d", "identifier": "i"}}
	for name, r := range map[string]Request{
		"a conclusion that GitHub does not know": check(map[string]any{"status": "completed", "conclusion": "great"}),
		"a summary that is too long":             check(map[string]any{"output": map[string]any{"title": "t", "summary": strings.Repeat("x", 65536)}}),
		"an action with a long label":            check(map[string]any{"actions": label}),
		"a check run without a commit":           post("/check-runs", map[string]any{"name": "Canary"}),
		"a deployment in an unknown state":       post("/deployments/1/statuses", map[string]any{"state": "great"}),
		"a comment without a text":               post("/issues/1/comments", map[string]any{}),
		"a path that does not exist":             post("/canaries", map[string]any{}),
	} {
		if problem := replay(t, server, r); problem == "" {
			t.Errorf("%s is allowed", name)
		}
	}
	if problem := replay(t, server, check(nil)); problem != "" {
		t.Errorf("what is right is refused: %s", problem)
	}
}

func TestTheRecordedRequestsKeepTheLimits(t *testing.T) {
	t.Parallel()
	for _, r := range recorded(t) {
		for _, problem := range Limits(r) {
			t.Errorf("%.400s\n  %s", key(r), problem)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("é", n) }
	deployment := func(fields map[string]any) Request {
		body := map[string]any{"ref": anySHA, "auto_merge": false, "required_contexts": []any{}}
		for name, value := range fields {
			body[name] = value
		}
		return post("/deployments", body)
	}
	elevenKeys, fields := map[string]any{}, map[string]any{}
	for i := range 26 {
		if i < 11 {
			elevenKeys[string(rune('a'+i))] = "x"
		}
		fields[string(rune('a'+i))] = "x"
	}
	bare := check(nil)
	bare.Headers = map[string]string{}
	many := bare
	many.Method, many.Query, many.Body = "GET", map[string]string{"per_page": "101"}, nil
	tests := map[string]struct {
		r    Request
		want []string // begins of the problems
	}{
		"a running check run":             {check(nil), nil},
		"completed, with a conclusion":    {check(map[string]any{"status": "completed", "conclusion": "success"}), nil},
		"completed without a conclusion":  {check(map[string]any{"status": "completed"}), []string{"status is completed"}},
		"a conclusion without completed":  {check(map[string]any{"conclusion": "success"}), []string{"the conclusion is"}},
		"stale is GitHub's":               {check(map[string]any{"status": "completed", "conclusion": "stale"}), []string{"conclusion is"}},
		"waiting is GitHub's":             {check(map[string]any{"status": "waiting"}), []string{"status is"}},
		"half a commit":                   {check(map[string]any{"head_sha": "0123"}), []string{"head_sha"}},
		"an output without a title":       {check(map[string]any{"output": map[string]any{"summary": "s"}}), []string{"title has 0"}},
		"the longest summary":             {check(map[string]any{"output": map[string]any{"title": "t", "summary": long(65535)}}), nil},
		"a summary that is too long":      {check(map[string]any{"output": map[string]any{"title": "t", "summary": long(65536)}}), []string{"summary has"}},
		"too many annotations":            {check(map[string]any{"output": map[string]any{"title": "t", "summary": "s", "annotations": make([]any, 51)}}), []string{"annotations has 51"}},
		"too many actions":                {check(map[string]any{"actions": make([]any, 4)}), []string{"actions has 4", "label", "description", "identifier", "label", "description", "identifier", "label", "description", "identifier", "label", "description", "identifier"}},
		"an address of no scheme":         {check(map[string]any{"details_url": "ci.example.com"}), []string{"details_url"}},
		"no headers":                      {bare, []string{"User-Agent", "Content-Type", "Accept", "Authorization"}},
		"a page that is too large":        {many, []string{"User-Agent", "Accept", "Authorization", "per_page"}},
		"an empty comment":                {post("/issues/1/comments", map[string]any{"body": ""}), []string{"body has 0"}},
		"a comment that is too long":      {post("/issues/1/comments", map[string]any{"body": long(65537)}), []string{"body has 65537"}},
		"a deployment":                    {deployment(nil), nil},
		"a deployment that merges":        {deployment(map[string]any{"auto_merge": true}), []string{"auto_merge"}},
		"a deployment that waits":         {post("/deployments", map[string]any{"ref": "main", "auto_merge": false}), []string{"required_contexts"}},
		"a long description":              {deployment(map[string]any{"description": long(141)}), []string{"description has 141"}},
		"a status of a deployment":        {post("/deployments/1/statuses", map[string]any{"state": "success", "description": long(140)}), nil},
		"its state, text and address":     {post("/deployments/1/statuses", map[string]any{"state": "fine", "description": long(141), "log_url": "x"}), []string{"state", "description", "log_url"}},
		"a commit status of GitLab's":     {post("/statuses/"+anySHA, map[string]any{"state": "running", "context": "c"}), []string{"state is"}},
		"a protection rule":               {post("/actions/runs/1/deployment_protection_rule", map[string]any{"environment_name": "e", "state": "maybe", "comment": long(1025)}), []string{"comment", "state"}},
		"an event with too many keys":     {post("/dispatches", map[string]any{"event_type": long(101), "client_payload": elevenKeys}), []string{"event_type", "client_payload"}},
		"an event that is too large":      {post("/dispatches", map[string]any{"event_type": "e", "client_payload": map[string]any{"a": strings.Repeat("x", 64<<10)}}), []string{"client_payload has 65"}},
		"a workflow with too many inputs": {post("/actions/workflows/x.yml/dispatches", map[string]any{"ref": "main", "inputs": fields}), []string{"inputs has 26"}},
	}
	for name, test := range tests {
		got := Limits(test.r)
		if len(got) != len(test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
			continue
		}
		for i, want := range test.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s: %q, want one that begins with %q", name, got[i], want)
			}
		}
	}
}
