package forge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestIDTokenIsAskedForAndHidden(t *testing.T) {
	t.Parallel()
	answer, status := `{"value":"a.b.c"}`, http.StatusOK
	var asked *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/token?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job"}
	var hidden []string
	mask := func(s string) error { hidden = append(hidden, s); return nil }
	tokens, err := NewIDTokens("kube", func(name string) string { return env[name] }, server.Client(), mask)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.Token(t.Context())
	if err != nil || token != "a.b.c" || len(hidden) != 1 || hidden[0] != token {
		t.Fatalf("token %q, hidden %q: %v", token, hidden, err)
	}
	if q := asked.URL.Query(); q.Get("audience") != "kube" || q.Get("api-version") != "2" || asked.Header.Get("Authorization") != "Bearer job" {
		t.Errorf("asked %s with %v", asked.URL, asked.Header)
	}
	answer = `{}`
	if token, err := tokens.Token(t.Context()); err == nil {
		t.Errorf("an answer without a token is %q", token)
	}
	answer, status = `no`, http.StatusForbidden
	if _, err := tokens.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "ask GitHub for an id token") {
		t.Errorf("%v", err)
	}
	delete(env, "ACTIONS_ID_TOKEN_REQUEST_URL")
	_, err = NewIDTokens("kube", func(name string) string { return env[name] }, server.Client(), mask)
	if err == nil || !strings.Contains(err.Error(), "id-token: write") {
		t.Errorf("%v, want what the job lacks", err)
	}
}
