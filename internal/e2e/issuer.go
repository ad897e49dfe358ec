package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// An issuer signs id tokens as GitHub and GitLab do for their jobs, and publishes its key where the API server looks for it.
type issuer struct {
	URL string

	key    *ecdsa.PrivateKey
	server *http.Server
}

// A subject is who a job is to the API server, and how long its token is good.
type subject struct {
	name, audience string
	life           time.Duration // below zero: it is over already
}

func startIssuer(ca *authority) (*issuer, error) {
	credential, err := ca.server()
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(credential.cert, credential.key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the issuer: %w", err)
	}
	i := &issuer{}
	if i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the key of the issuer: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for the issuer: %w", err)
	}
	i.URL = "https://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		point, err := i.key.PublicKey.Bytes() // 4, and then both coordinates
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, map[string]any{"keys": []any{map[string]string{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one", "x": base64URL(point[1:33]), "y": base64URL(point[33:]),
		}}})
	})
	i.server = &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() { _ = i.server.ServeTLS(listener, "", "") }() // ends with stop
	return i, nil
}

func (i *issuer) stop() { _ = i.server.Close() } // nobody waits for its answers any more

// Token signs a token (RFC 7519) with ES256.
func (i *issuer) Token(s subject) (string, error) {
	now := time.Now()
	head, err := json.Marshal(map[string]string{"alg": "ES256", "kid": "one", "typ": "JWT"})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": i.URL, "sub": s.name, "aud": s.audience, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(s.life).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed := base64URL(head) + "." + base64URL(claims)
	digest := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign an id token: %w", err)
	}
	return signed + "." + base64URL(append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)), nil
}

// authentication is the configuration that makes an API server trust the issuer, in the words of docs/credentials.md.
func (i *issuer) authentication(ca *authority) map[string]any {
	return map[string]any{
		"apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration",
		"jwt": []any{map[string]any{
			"issuer":        map[string]any{"url": i.URL, "audiences": []string{"penstock"}, "certificateAuthority": string(ca.pem)},
			"claimMappings": map[string]any{"username": map[string]any{"claim": "sub", "prefix": "github:"}},
		}},
	}
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the reader sees that it is cut off
}
