package metric_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const mql = "fetch k8s_container\n| metric 'istio.io/service/server/request_count'\n| align delta(1m)\n| every 1m\n| within 1m\n| group_by [], [value: sum(value)]\n"

// serviceAccount makes a key: one in the repository would be taken for a leak.
func serviceAccount(t *testing.T) (*rsa.PrivateKey, metric.Credentials) {
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
	return key, metric.Credentials{"project": "shop\n", "serviceAccountKey": string(account)}
}

func TestStackdriverRequests(t *testing.T) {
	t.Parallel()
	key, credentials := serviceAccount(t)
	r, err := provider(t, "stackdriver").Request(metric.Source{Credentials: credentials}, minutes(1, mql))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(r.Header["Authorization"][0], "Bearer ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal(token)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	claims := ""
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		claims += string(text) + " "
	}
	r.Header["Authorization"] = []string{"Bearer " + claims + "signature"}
	golden(t, "stackdriver/requests/service-account.golden", written(r))
}

func TestStackdriverRefusesWhatIsNoServiceAccount(t *testing.T) {
	t.Parallel()
	bad := "the Secret's serviceAccountKey is not the JSON of a service account's RSA key"
	source := func(key string) metric.Source {
		return metric.Source{Credentials: metric.Credentials{"project": "shop", "serviceAccountKey": key}}
	}
	refuses(t, "stackdriver", map[string]refusal{
		"no Secret":    {metric.Source{}, mql, "the Secret lacks project, serviceAccountKey; it must have the keys project, serviceAccountKey"},
		"no JSON":      {source("hunter2"), mql, bad},
		"no key":       {source(`{"client_email":"a"}`), mql, bad},
		"another file": {source(`{"client_id":"a","client_secret":"hunter2","type":"authorized_user"}`), mql, bad},
		"no RSA key":   {source(`{"client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"}`), mql, bad},
	})
	lints(t, "stackdriver", map[string]string{mql: "", "fetch a": "query: it has no window"})
}

func TestStackdriverAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, mql)
	answers(t, "stackdriver", []reply{
		{"ok.json", 200, one, metric.Number, 2.5, "", false},
		{"integer.json", 200, one, metric.Number, 42, "", false},
		{"gauge.json", 200, one, metric.Number, 7, "", false},
		{"old.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"long.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 15:55:10 to 16:00:10: with points of 5m0s", false},
		{"nan.json", 200, one, metric.Unreadable, 0, "this is not an answer of Cloud Monitoring", false},
		{"empty.json", 200, one, metric.NoData, 0, "no data: the query answers no series", false},
		{"several.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use group_by", true},
		{"paged.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use group_by", true},
		{"partial.json", 200, one, metric.Unreadable, 0, "the answer is not complete: one zone did not answer", false},
		{"two-values.json", 200, one, metric.Unreadable, 0, "this is not an answer of Cloud Monitoring", false},
		{"error.json", 400, one, metric.Unreadable, 0, "the server refused the query (HTTP 400): Query contains errors", true},
		{"unauthorized.json", 401, one, metric.Unreadable, 0, "HTTP 401: the server wants other credentials; it said: Request had invalid authentication credentials.", false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: Quota exceeded", false},
	})
}
