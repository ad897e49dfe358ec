package forge

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// fakeApp is a GitHub server with the App 77, which is installed in some repositories.
type fakeApp struct {
	t   *testing.T
	key *rsa.PrivateKey
	mux *http.ServeMux

	mu         sync.Mutex
	installed  map[string]int // by repository
	tokens     map[string]int // to installations
	requests   []string
	deliveries []map[string]any // the newest first
	accept     func(id string) int
}

func newFakeApp(t *testing.T) *fakeApp {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeApp{t: t, key: key, mux: http.NewServeMux(), installed: map[string]int{}, tokens: map[string]int{}}
	f.accept = func(string) int { return http.StatusAccepted }
	f.mux.HandleFunc("GET /api/v3/repos/{owner}/{repo}/installation", f.asApp(func(w http.ResponseWriter, r *http.Request) {
		id, ok := f.installed[r.PathValue("owner")+"/"+r.PathValue("repo")]
		if !ok {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		answer(w, http.StatusOK, map[string]any{"id": id})
	}))
	f.mux.HandleFunc("POST /api/v3/app/installations/{id}/access_tokens", f.asApp(f.grant))
	f.mux.HandleFunc("GET /api/v3/app/hook/deliveries", f.asApp(f.list))
	f.mux.HandleFunc("POST /api/v3/app/hook/deliveries/{id}/attempts", f.asApp(func(w http.ResponseWriter, r *http.Request) {
		answer(w, f.accept(r.PathValue("id")), map[string]any{})
	}))
	f.mux.HandleFunc("GET /api/v3/repos/{owner}/{repo}/pulls/7", func(w http.ResponseWriter, r *http.Request) {
		id := f.installed[r.PathValue("owner")+"/"+r.PathValue("repo")]
		if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); id == 0 || f.tokens[token] != id {
			refuse(w, http.StatusUnauthorized, "Bad credentials")
			return
		}
		answer(w, http.StatusOK, map[string]any{
			"number": 7, "state": "open", "user": map[string]any{"id": 1}, "head": map[string]any{"sha": headSHA}, "base": map[string]any{"repo": map[string]any{"id": id * 10}},
		})
	})
	return f
}

func (f *fakeApp) pem() Token {
	return Token(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(f.key)}))
}

func (f *fakeApp) office() *Office {
	f.t.Helper()
	client := httpx.New(httpx.Options{MaxBody: MaxBody})
	client.HTTP().Transport = f
	o, err := NewOffice(OfficeConfig{GitHubAPI: "https://ghe.test/api/v3", GitHubAppID: 77, GitHubAppKey: f.pem(), Client: client})
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

// RoundTrip makes the fake a transport.
func (f *fakeApp) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v3/"))
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// asApp wants the App's own signature, and one that is good for ten minutes at most, as GitHub does.
func (f *fakeApp) asApp(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		signed, signature, _ := cutLast(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
		_, payload, _ := strings.Cut(signed, ".")
		sum := sha256.Sum256([]byte(signed))
		sig, _ := base64.RawURLEncoding.DecodeString(signature)
		text, _ := base64.RawURLEncoding.DecodeString(payload)
		var claims struct {
			Iss string
			Exp int64
		}
		_ = json.Unmarshal(text, &claims)
		left := time.Until(time.Unix(claims.Exp, 0))
		if rsa.VerifyPKCS1v15(&f.key.PublicKey, crypto.SHA256, sum[:], sig) != nil || claims.Iss != "77" || left <= 0 || left > 10*time.Minute {
			refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
			return
		}
		h(w, r)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (f *fakeApp) grant(w http.ResponseWriter, r *http.Request) {
	for _, id := range f.installed {
		if fmt.Sprint(id) == r.PathValue("id") {
			token := fmt.Sprintf("ghs_%d_%d", id, len(f.tokens))
			f.tokens[token] = id
			answer(w, http.StatusCreated, map[string]any{"token": token, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

// list answers with pages that are found by a cursor.
func (f *fakeApp) list(w http.ResponseWriter, r *http.Request) {
	from := 0
	_, _ = fmt.Sscanf(r.URL.Query().Get("cursor"), "v1_%d", &from)
	to := min(from+100, len(f.deliveries))
	if to < len(f.deliveries) {
		w.Header().Set("Link", fmt.Sprintf(`<https://ghe.test/api/v3/app/hook/deliveries?per_page=100&cursor=v1_%d>; rel="next"`, to))
	}
	answer(w, http.StatusOK, f.deliveries[from:to])
}

// deliver tells of an attempt, the newest so far.
func (f *fakeApp) deliver(id int, guid string, at time.Time, status int) {
	f.deliveries = append([]map[string]any{{
		"id": id, "guid": guid, "delivered_at": at.UTC().Format(time.RFC3339), "status_code": status, "event": "issue_comment",
	}}, f.deliveries...)
}
