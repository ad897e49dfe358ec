package cloud_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/cloud"
)

// serviceAccount makes a key: one in the repository would be taken for a leak.
func serviceAccount(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "ci@shop.iam.gserviceaccount.com", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return key, string(account)
}

func TestAServiceAccountSignsItsOwnToken(t *testing.T) {
	t.Parallel()
	key, account := serviceAccount(t)
	s := &cloud.Signer{HTTP: &http.Client{Transport: &clouds{t: t}}} // nobody is asked
	r := ofGoogle(account)
	if err := s.Sign(t.Context(), r, time.Now()); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimPrefix(r.Header["Authorization"][0], "Bearer "), ".")
	if len(parts) != 3 {
		t.Fatal(r.Header)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	const email = "ci@shop.iam.gserviceaccount.com"
	if claims.Iss != email || claims.Sub != email || claims.Aud != "https://monitoring.googleapis.com/" || claims.Exp <= claims.Iat {
		t.Errorf("got %s", text)
	}
}

const federation = `{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/gitlab",
  "subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token","credential_source":{"file":"FILE"}}`

func TestWhoAsksGoogle(t *testing.T) {
	t.Parallel()
	const exchange, ofMachine = "POST sts.googleapis.com/v1/token", "GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token"
	ofPool := strings.Replace(federation, "FILE", file(t, "eyJ.ci.x"), 1)
	exchanged := map[string]string{exchange: `{"access_token":"federated","token_type":"Bearer","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`}
	for _, c := range []struct {
		name    string
		account string
		env     map[string]string
		answers map[string]string
		want    string
		sent    string
	}{
		{"a workload identity federation in the Secret", ofPool, nil, exchanged, "Bearer federated", "subject_token=eyJ.ci.x"},
		{"one in the file of the job", "", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file(t, ofPool)}, exchanged, "Bearer federated", "subject_token=eyJ.ci.x"},
		{"the account of the machine", "", nil, map[string]string{ofMachine: `{"access_token":"machine","expires_in":3599,"token_type":"Bearer"}`}, "Bearer machine", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fake := &clouds{t: t, answers: c.answers}
			s := &cloud.Signer{HTTP: &http.Client{Transport: fake}, Env: environment(c.env)}
			for range 2 {
				r := ofGoogle(c.account)
				if err := s.Sign(t.Context(), r, time.Now()); err != nil {
					t.Fatal(err)
				}
				if got := r.Header["Authorization"][0]; got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			}
			if len(fake.asked) != 1 || !strings.Contains(fake.sent[fake.asked[0]], c.sent) {
				t.Errorf("asked %q, sent %q, want %q once", fake.asked, fake.sent, c.sent)
			}
		})
	}
}

func TestNoCredentialsOfGoogle(t *testing.T) {
	t.Parallel()
	const noAccount = "credentials of Google Cloud: the Secret's serviceAccountKey is not the JSON of a service account or of a workload identity federation"
	const noKey = "credentials of Google Cloud: the Secret's serviceAccountKey has no key of a service account that can be read"
	ofPool := strings.Replace(federation, "FILE", file(t, "eyJhbGciOi.eyJzdWIi.c2ln"), 1)
	for _, c := range []struct {
		name    string
		account string
		env     map[string]string
		answers map[string]string
		want    string
	}{
		{"no JSON", "hunter2", nil, nil, noAccount},
		{"another file", `{"client_id":"a","client_secret":"hunter2"}`, nil, nil, noAccount},
		{"a kind that is not known", `{"type":"gdch_service_account","x":"hunter2"}`, nil, nil, noAccount},
		{"no key", `{"type":"service_account","client_email":"a"}`, nil, nil, noKey},
		{"no RSA key", `{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"}`, nil, nil, noKey},
		{"half a federation", `{"type":"external_account","audience":"hunter2"}`, nil, nil, "credentials of Google Cloud: the Secret's serviceAccountKey: this external_account is not complete"},
		{"a federation that is refused", ofPool, nil, map[string]string{"POST sts.googleapis.com/v1/token": `400|{"error":"invalid_grant","error_description":"bad eyJhbGciOi.eyJzdWIi.c2ln"}`},
			`credentials of Google Cloud: oauth2/google: status code 400: {"error":"invalid_grant","error_description":"bad ***"}`},
		{"no file", "", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/does/not/exist"}, nil, "credentials of Google Cloud: read the file of GOOGLE_APPLICATION_CREDENTIALS: open /does/not/exist: no such file"},
		{"nothing at all", "", nil, nil, "credentials of Google Cloud: there are none: the Secret has no serviceAccountKey, the environment no GOOGLE_APPLICATION_CREDENTIALS"},
		{"a machine without a token", "", nil, map[string]string{"GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token": `{"hunter2":1}`}, "credentials of Google Cloud: the metadata server's answer holds no token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &cloud.Signer{HTTP: &http.Client{Transport: &clouds{t: t, answers: c.answers}}, Env: environment(c.env)}
			err := s.Sign(t.Context(), ofGoogle(c.account), time.Now())
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "eyJ") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
