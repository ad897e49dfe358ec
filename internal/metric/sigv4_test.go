package metric

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// exampleKey is the one of AWS's published test suite.
var exampleKey = awsKey{id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1", service: "service"}

func TestSignaturesAreThoseOfAWSsTestSuite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ method, kind, body, signed, want string }{
		"get-vanilla":  {"GET", "", "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"post-vanilla": {"POST", "", "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-x-www-form-urlencoded": {"POST", "application/x-www-form-urlencoded", "Param1=value1", "content-type;host;x-amz-date",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		r := Request{Method: c.method, Body: c.body, Header: map[string][]string{"Accept": {"x"}}}
		if c.kind != "" {
			r.Header["Content-Type"] = []string{c.kind}
		}
		exampleKey.sign(&r, &url.URL{Scheme: "https", Host: "example.amazonaws.com", Path: "/"}, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.want
		if got := r.Header["Authorization"][0]; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestSignaturesAreThoseOfTheSDK(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, body, session, target string }{
		{"https://monitoring.eu-central-1.amazonaws.com", "{}", "", "Granite.GetMetricData"},
		{"https://monitoring.eu-central-1.amazonaws.com:8443/", `{"a":"ü"}`, "session+/=", "  odd   spaces "},
		{"https://vpce.example.com/some/path", strings.Repeat("x", 10000), "s", "a"},
	} {
		u, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2025, 11, 24, 23, 59, 59, 999, time.FixedZone("east", 3600))
		r := Request{Method: "POST", Body: c.body, Header: map[string][]string{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {c.target}}}
		req, err := http.NewRequestWithContext(t.Context(), r.Method, c.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range r.Header {
			req.Header[name] = append([]string(nil), values...)
		}
		key := exampleKey
		key.session = c.session
		key.sign(&r, u, now)
		login := aws.Credentials{AccessKeyID: key.id, SecretAccessKey: key.secret, SessionToken: key.session}
		if err := v4.NewSigner().SignHTTP(t.Context(), login, req, sha(c.body), key.service, key.region, now); err != nil {
			t.Fatal(err)
		}
		if got, want := r.Header["Authorization"][0], req.Header.Get("Authorization"); got != want {
			t.Errorf("%s: got %s, want %s", c.address, got, want)
		}
	}
}
