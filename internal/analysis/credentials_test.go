package analysis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func withSecret(address string) metric.Check {
	c := check(address)
	c.Secret = &metric.SecretRef{Namespace: "test", Name: "login"}
	return c
}

func holding(c metric.Credentials) analysis.Credentials {
	return func(_ context.Context, ref metric.SecretRef) (metric.Credentials, error) {
		if ref != (metric.SecretRef{Namespace: "test", Name: "login"}) {
			return nil, fmt.Errorf("asked for %v", ref)
		}
		return c, nil
	}
}

func TestCredentialsAndHeadersAreSent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		credentials metric.Credentials
		want        string
	}{
		{"a token", metric.Credentials{"token": "ey1234"}, "Bearer ey1234"},
		{"user and password", metric.Credentials{"username": "user", "password": "pass"}, "Basic dXNlcjpwYXNz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan http.Header, 1)
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				seen <- r.Header.Clone()
				answer(200, one)(w, r)
			})
			k := withSecret(address)
			k.Source.Headers = map[string][]string{"X-Scope-OrgID": {"shop"}}
			a := analyst(t, analysis.Config{Checks: []metric.Check{k}, Credentials: holding(c.credentials), Version: "1.2.3"})
			if got := a.Check(t.Context(), time.Time{})[0]; got.Verdict != rollout.Pass {
				t.Fatal(got.Message)
			}
			h := <-seen
			if h.Get("Authorization") != c.want || h.Get("X-Scope-OrgID") != "shop" || h.Get("User-Agent") != "penstock/1.2.3" {
				t.Errorf("got %v", h)
			}
			if len(k.Source.Headers) != 1 || len(k.Source.Headers["X-Scope-OrgID"]) != 1 {
				t.Errorf("the check's headers changed: %v", k.Source.Headers)
			}
		})
	}
}

func TestSecretsNeverAppearInAResult(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	for name, body := range map[string]string{
		"at the start of a page":           "no: %s %s",
		"where the shown part ends":        strings.Repeat("x", 505) + "%s %s",
		"in an error of Prometheus":        `{"status":"error","errorType":"%s","error":"bad %s"}`,
		"as the name of a series":          `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"%s"},"value":[1,"1"]},{"metric":{"b":"%s"},"value":[1,"1"]}]}}`,
		"beside a number":                  `{"status":"success","infos":["%s%s"],"data":{"resultType":"scalar","result":[1764000000,"99.5"]}}`,
		"as a type that cannot be":         `{"status":"success","data":{"resultType":"%s%s","result":[]}}`,
		"in a status that makes no sense":  `{"status":"%s%s"}`,
		"in what makes the answer invalid": `{"status":"success"%s%s`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
				_, _ = fmt.Fprintf(w, body, secret, token)
			})
			for _, c := range []metric.Credentials{{"token": secret}, {"username": "user", "password": secret}} {
				a := analyst(t, analysis.Config{Checks: []metric.Check{withSecret(address)}, Credentials: holding(c)})
				got := a.Check(t.Context(), time.Time{})[0]
				text, err := json.Marshal(got)
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range []string{secret[:6], "dXNlcjpodW50"} {
					if strings.Contains(string(text), part) {
						t.Errorf("%q is shown: %s", part, text)
					}
				}
				if name == "beside a number" && got.Verdict != rollout.Pass {
					t.Errorf("the number is lost: %s", got.Message)
				}
			}
		})
	}
}

func TestASecretThatLooksLikeANumberDoesNotChangeTheVerdict(t *testing.T) {
	t.Parallel()
	address := serve(t, answer(200, one))
	a := analyst(t, analysis.Config{Checks: []metric.Check{withSecret(address)}, Credentials: holding(metric.Credentials{"token": "1764"})})
	got := a.Check(t.Context(), time.Time{})[0]
	if got.Verdict != rollout.Pass || strings.Contains(got.Raw, "1764") || got.Message != "success: 99.50 % is at least 99 %" {
		t.Errorf("got %+v", got)
	}
}

func TestASecretThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	address := serve(t, answer(200, one))
	refuse := func(context.Context, metric.SecretRef) (metric.Credentials, error) { return nil, errForbidden }
	for want, credentials := range map[string]analysis.Credentials{
		`success: read the Secret "test/login": secrets is forbidden`:                  refuse,
		"success: the Secret has neither the key token nor both username and password": holding(metric.Credentials{"key": "x"}),
		`success: the Secret "test/login" is empty`:                                    holding(nil),
	} {
		a := analyst(t, analysis.Config{Checks: []metric.Check{withSecret(address)}, Credentials: credentials})
		if got := a.Check(t.Context(), time.Time{})[0]; got.Verdict != rollout.Error || got.Message != want {
			t.Errorf("got %v %q, want %q", got.Verdict, got.Message, want)
		}
	}
}

func TestAPasswordInTheAddressIsUsedAndNotShown(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, "you said "+password)
	})
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(strings.Replace(address, "http://", "http://user:hunter2@", 1))}})
	got := a.Check(t.Context(), time.Time{})[0]
	if asked.Load() != 1 || got.Message != "success: this is not an answer of Prometheus: you said ***" {
		t.Errorf("asked %d times: %s", asked.Load(), got.Message)
	}
}

func TestCertificatesAreVerifiedUnlessTheSourceSaysOtherwise(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(answer(200, one))
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	strict, lax := check(s.URL), check(s.URL)
	lax.Source.InsecureSkipVerify = true
	a := analyst(t, analysis.Config{Checks: []metric.Check{strict, lax}})
	got := a.Check(t.Context(), time.Time{})
	if want := "success: " + s.URL + ": the certificate is signed by an authority that is not trusted here"; got[0].Verdict != rollout.Error || got[0].Message != want {
		t.Errorf("got %v %q, want %q", got[0].Verdict, got[0].Message, want)
	}
	if got[1].Verdict != rollout.Pass {
		t.Error(got[1].Message)
	}
}

func TestARedirectToAnotherHostDoesNotGetTheToken(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization")
		answer(200, one)(w, r)
	})
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+r.URL.Path, http.StatusFound)
	})
	a := analyst(t, analysis.Config{Checks: []metric.Check{withSecret(address)}, Credentials: holding(metric.Credentials{"token": "hunter2"})})
	if got := a.Check(t.Context(), time.Time{})[0]; got.Verdict != rollout.Pass {
		t.Error(got.Message)
	}
	if auth := <-seen; auth != "" {
		t.Errorf("the token went along: %q", auth)
	}
}
