package tape

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReplay asks a server that was made from GitHub's OpenAPI description the requests of the files. .ci/prism starts it
// and names it in PRISM_URL.
func TestReplay(t *testing.T) {
	t.Parallel()
	server := os.Getenv("PRISM_URL")
	if server == "" {
		t.Skip("PRISM_URL is not set; .ci/prism sets it")
	}
	asked := 0
	for _, r := range recorded(t) {
		if r.Path == "/graphql" {
			continue // the description is of the REST API; .ci/graphql.mjs asks about these
		}
		asked++
		if problem := replay(t, server, r); problem != "" {
			t.Errorf("%.400s\n  %s", key(r), problem)
		}
	}
	t.Logf("asked GitHub's description about %d requests", asked)
	if asked == 0 {
		t.Error("nothing was asked")
	}
}

// recorded are the requests of all files.
func recorded(t *testing.T) []Request {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "forge", "requests", "github*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no recorded requests: %v", err)
	}
	var all []Request
	for _, f := range files {
		requests, err := Read(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, requests...)
	}
	return all
}

// replay makes a request, and says what is wrong with it.
func replay(t *testing.T, server string, r Request) string {
	t.Helper()
	query := url.Values{}
	for name, value := range r.Query {
		query.Set(name, value)
	}
	var body io.Reader
	if r.Body != nil {
		text, err := json.Marshal(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	path := r.Path
	if at, file, ok := strings.Cut(path, "/contents/"); ok { // in the description the path of a file is one part of the address
		path = at + "/contents/" + url.PathEscape(file)
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, server+path+"?"+query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Accept", "application/json") // GitHub's own media types are not in its description; see Limits
	req.Header.Del("If-None-Match")              // the answer would be an example of "not modified"
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("ask the server: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return refusal(resp, answer)
}

// refusal is what an answer has against the request. Prism answers a request that is not as described with the
// description's own example of a refusal, where it has one, and tells what it did not like in a header.
func refusal(resp *http.Response, body []byte) string {
	var problems []string
	var violations []struct {
		Location []string `json:"location"`
		Message  string   `json:"message"`
	}
	if header := resp.Header.Get("sl-violations"); header != "" {
		if err := json.Unmarshal([]byte(header), &violations); err != nil {
			problems = append(problems, header)
		}
	}
	for _, v := range violations {
		if len(v.Location) > 0 && v.Location[0] == "response" {
			continue // GitHub's own examples violate its schemas
		}
		problems = append(problems, strings.Join(v.Location, ".")+": "+v.Message)
	}
	if resp.StatusCode >= 400 && len(problems) == 0 {
		problems = append(problems, string(body[:min(len(body), 500)]))
	}
	if len(problems) == 0 {
		return ""
	}
	return resp.Status + ": " + strings.Join(problems, "; ")
}
