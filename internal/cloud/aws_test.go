package cloud_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/cloud"
	"github.com/penstock-dev/penstock/internal/metric"
)

var (
	errUnreachable = errors.New("no route to host")
	now            = time.Date(2025, 11, 24, 16, 0, 10, 0, time.UTC)
)

// The vectors are those of AWS's published test suite for Signature Version 4.
func TestSignaturesAreThoseOfAWSsTestSuite(t *testing.T) {
	t.Parallel()
	login := metric.Credentials{metric.AWSKeyID: "AKIDEXAMPLE", metric.AWSSecret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"}
	for name, c := range map[string]struct{ method, kind, body, signed, want string }{
		"get-vanilla":  {"GET", "", "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"post-vanilla": {"POST", "", "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-x-www-form-urlencoded": {"POST", "application/x-www-form-urlencoded", "Param1=value1", "content-type;host;x-amz-date",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &metric.Request{Method: c.method, URL: "https://example.amazonaws.com/", Body: c.body, Header: map[string][]string{}}
			r.Sign.AWS = &metric.AWS{Region: "us-east-1", Service: "service", Login: login}
			if c.kind != "" {
				r.Header["Content-Type"] = []string{c.kind}
			}
			s := &cloud.Signer{}
			if err := s.Sign(t.Context(), r, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.want
			if got := r.Header["Authorization"][0]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

const (
	sts     = "POST sts.eu-central-1.amazonaws.com/ Action="
	machine = "169.254.169.254/latest/"
)

func stsAnswer(action, id string) string {
	return fmt.Sprintf(`<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId>`+
		`<SecretAccessKey>hunter2</SecretAccessKey><SessionToken>session of %[2]s</SessionToken><Expiration>2025-11-24T17:00:00Z</Expiration></Credentials>`+
		`</%[1]sResult></%[1]sResponse>`, action, id)
}

func jsonKeys(id string) string {
	return `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"` + id + `","SecretAccessKey":"hunter2","Token":"session of ` + id + `","Expiration":"2025-11-24T17:00:00Z"}`
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhoAsksAWS(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::123456789012:role/metrics"
	keys := metric.Credentials{metric.AWSKeyID: "AKIASECRET", metric.AWSSecret: "hunter2"}
	ofJob := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAJOB", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "session of AKIAJOB"}
	for _, c := range []struct {
		name    string
		login   metric.Credentials
		env     map[string]string
		answers map[string]string
		want    string // the key id
		session string
		sent    string // what the last request had to prove who asks
	}{
		{name: "the keys of the Secret, whatever the job has", login: keys, env: ofJob, want: "AKIASECRET"},
		{name: "the keys of the job", env: ofJob, want: "AKIAJOB", session: "session of AKIAJOB"},
		{
			name: "a role that the keys of the Secret may assume", want: "ASIAROLE", session: "session of ASIAROLE",
			login:   metric.Credentials{metric.AWSKeyID: "AKIASECRET", metric.AWSSecret: "hunter2", metric.AWSRole: role, metric.AWSExternal: "shop"},
			answers: map[string]string{sts + "AssumeRole": stsAnswer("AssumeRole", "ASIAROLE")}, sent: "Credential=AKIASECRET/",
		},
		{
			name: "a role that the keys of the job may assume", login: metric.Credentials{metric.AWSRole: role}, env: ofJob, want: "ASIAROLE", session: "session of ASIAROLE",
			answers: map[string]string{sts + "AssumeRole": stsAnswer("AssumeRole", "ASIAROLE")}, sent: "Credential=AKIAJOB/",
		},
		{
			name: "a token of the CI platform", login: metric.Credentials{metric.AWSRole: role, metric.AWSIdentity: "eyJ.token.x"}, env: ofJob,
			answers: map[string]string{sts + "AssumeRoleWithWebIdentity": stsAnswer("AssumeRoleWithWebIdentity", "ASIAOIDC")},
			want:    "ASIAOIDC", session: "session of ASIAOIDC", sent: "WebIdentityToken=eyJ.token.x",
		},
		{
			name: "a token in a file", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": file(t, "eyJ.file.x"), "AWS_ROLE_ARN": role},
			answers: map[string]string{sts + "AssumeRoleWithWebIdentity": stsAnswer("AssumeRoleWithWebIdentity", "ASIAFILE")},
			want:    "ASIAFILE", session: "session of ASIAFILE", sent: "WebIdentityToken=eyJ.file.x",
		},
		{
			name: "the agent of a task on ECS", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"},
			answers: map[string]string{"GET 169.254.170.2/v2/credentials/1": jsonKeys("ASIATASK")}, want: "ASIATASK", session: "session of ASIATASK",
		},
		{
			name: "the agent of a pod on EKS", env: map[string]string{
				"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file(t, "pod\n"),
			},
			answers: map[string]string{"GET 169.254.170.23/v1/credentials": jsonKeys("ASIAPOD")}, want: "ASIAPOD", session: "session of ASIAPOD", sent: "pod",
		},
		{
			name: "the role of the machine", answers: map[string]string{
				"PUT " + machine + "api/token": "proof", "GET " + machine + "meta-data/iam/security-credentials/": "runner",
				"GET " + machine + "meta-data/iam/security-credentials/runner": jsonKeys("ASIAMACHINE"),
			}, want: "ASIAMACHINE", session: "session of ASIAMACHINE", sent: "proof",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fake := &clouds{t: t, answers: c.answers}
			s := &cloud.Signer{HTTP: &http.Client{Transport: fake}, Env: environment(c.env)}
			for range 2 {
				r := ofAWS(c.login)
				if err := s.Sign(t.Context(), r, now); err != nil {
					t.Fatal(err)
				}
				if got := r.Header["Authorization"][0]; !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential="+c.want+"/20251124/eu-central-1/monitoring/aws4_request,") {
					t.Errorf("got %s, want the key %s", got, c.want)
				}
				if got := strings.Join(r.Header["X-Amz-Security-Token"], ""); got != c.session {
					t.Errorf("got the session %q, want %q", got, c.session)
				}
			}
			if len(fake.asked) != len(c.answers) {
				t.Errorf("asked %q for two requests; want each of %d once", fake.asked, len(c.answers))
			}
			if n := len(fake.asked); c.sent != "" && (n == 0 || !strings.Contains(fake.sent[fake.asked[n-1]], c.sent)) {
				t.Errorf("sent %q, want %q in it", fake.sent, c.sent)
			}
		})
	}
}

func TestCredentialsOfAWSAreFetchedAnewBeforeTheyEnd(t *testing.T) {
	t.Parallel()
	fake := &clouds{t: t, answers: map[string]string{"GET 169.254.170.2/x": jsonKeys("ASIATASK")}}
	s := &cloud.Signer{HTTP: &http.Client{Transport: fake}, Env: environment(map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"})}
	for _, c := range []struct {
		at   string
		want int
	}{{"16:00:00", 1}, {"16:58:59", 1}, {"16:59:30", 2}} {
		at, err := time.Parse(time.RFC3339, "2025-11-24T"+c.at+"Z")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Sign(t.Context(), ofAWS(nil), at); err != nil {
			t.Fatal(err)
		}
		if len(fake.asked) != c.want {
			t.Errorf("at %s they were fetched %d times, want %d", c.at, len(fake.asked), c.want)
		}
	}
}

func TestNoCredentialsOfAWS(t *testing.T) {
	t.Parallel()
	refused := `403|<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code>` +
		`<Message>not you, eyJhbGciOi.eyJzdWIi.c2ln` + strings.Repeat("!", 1000) + `</Message></Error><RequestId>1</RequestId></ErrorResponse>`
	role := metric.Credentials{metric.AWSRole: "arn:aws:iam::123456789012:role/metrics", metric.AWSIdentity: "eyJhbGciOi.eyJzdWIi.c2ln"}
	for _, c := range []struct {
		name    string
		login   metric.Credentials
		env     map[string]string
		answers map[string]string
		want    string
	}{
		{"nothing at all", nil, map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}, nil,
			"credentials of AWS: there are none: the template names no Secret, and the environment has neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"},
		{"no machine of Amazon's", nil, nil, nil, "credentials of AWS: there are none: the template names no Secret, and the environment has neither"},
		{"half a key", nil, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAJOB", "AWS_EC2_METADATA_DISABLED": "true"}, nil, "credentials of AWS: there are none"},
		{"no token in the file", nil, map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/does/not/exist", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}, nil, "credentials of AWS: failed to retrieve jwt"},
		{"a role that is refused", role, nil, map[string]string{sts + "AssumeRoleWithWebIdentity": refused}, "credentials of AWS: the server refused them (AccessDenied): not you, ***!"},
		{"a server that is not there", role, nil, nil, "credentials of AWS: cannot reach https://sts.eu-central-1.amazonaws.com: connect: no route to host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &cloud.Signer{HTTP: &http.Client{Transport: &clouds{t: t, answers: c.answers}}, Env: environment(c.env)}
			err := s.Sign(t.Context(), ofAWS(c.login), now)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || len(err.Error()) > 700 || strings.Contains(err.Error(), "eyJ") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestARequestThatNeedsNoSignatureStaysAsItIs(t *testing.T) {
	t.Parallel()
	r := &metric.Request{Method: "GET", URL: "http://prometheus", Header: map[string][]string{"Accept": {"x"}}}
	if err := (&cloud.Signer{}).Sign(t.Context(), r, now); err != nil || len(r.Header) != 1 {
		t.Errorf("got %v, %v", r.Header, err)
	}
}
