package tape

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:4711"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Accept": "application/json", "Authorization": "Bearer secret", "Content-Type": "application/json", "User-Agent": "penstock/1.2.3",
	} {
		r.Header.Set(name, value)
	}
	return r
}

func TestRequestsOfOneShapeAreOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "requests.json")
	tape, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{
		request(t, "POST", "/repos/o/r/issues/7/comments", `{"body":"one"}`),
		request(t, "POST", "/api/v3/repos/acme/shop/issues/12/comments", `{"body":"another"}`),
		request(t, "POST", "/repos/o/r/issues/7/comments", `{"body":"`+strings.Repeat("x", 65536)+`"}`),
		request(t, "GET", "/repos/o/r/collaborators/ann/permission", ""),
		request(t, "GET", "/repos/o/r/collaborators/bob/permission", ""),
		request(t, "POST", "/repos/o/r/deployments/3/statuses", `{"state":"success","log_url":"http://127.0.0.1:80/x"}`),
		request(t, "POST", "/repos/o/r/deployments/4/statuses", `{"state":"failure","log_url":"http://127.0.0.1:81/y"}`),
	} {
		if err := tape.Hear(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := tape.Write(true); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 { // two comments, one permission, two states
		t.Errorf("%d requests are kept, want 5: %v", len(got), got)
	}
	for _, r := range got {
		if text := key(r); strings.Contains(text, "secret") || strings.Contains(text, "acme") || strings.Contains(text, "127.0.0.1") {
			t.Errorf("%.300s holds what differs from run to run", text)
		}
	}
}

func TestATapeTellsWhatIsNotInTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "requests.json")
	first, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Hear(request(t, "GET", "/repos/o/r/pulls/1", "")); err != nil {
		t.Fatal(err)
	}
	if err := first.Problems(false); err == nil || !strings.Contains(err.Error(), "lacks this request") {
		t.Errorf("a new request: %v", err)
	}
	if err := first.Write(true); err != nil {
		t.Fatal(err)
	}
	if err := first.Problems(true); err != nil {
		t.Errorf("after it was written: %v", err)
	}
	second, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Problems(false); err != nil {
		t.Errorf("tests that make no request: %v", err)
	}
	if err := second.Problems(true); err == nil || !strings.Contains(err.Error(), "nobody makes") {
		t.Errorf("all tests, and no request: %v", err)
	}
	third, err := Open(filepath.Join(t.TempDir(), "more.json"), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Hear(request(t, "GET", "/repos/o/r/pulls/1", "")); err != nil {
		t.Fatal(err)
	}
	if err := third.Problems(true); err != nil {
		t.Errorf("a request that another file has: %v", err)
	}
	if err := second.Hear(request(t, "GET", "/repos/o/r/pulls?per_page=500", "")); err != nil {
		t.Fatal(err)
	}
	if err := second.Problems(false); err == nil || !strings.Contains(err.Error(), "must be 1 to 100") {
		t.Errorf("a request that GitHub refuses: %v", err)
	}
}
