package analysis_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func ofCloudWatch(address string) metric.Check {
	c := check(address)
	c.Provider, c.Source.Region, c.Interval = "cloudwatch", "eu-central-1", 2*time.Minute
	c.Query = `[{"Id": "e1", "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "Success"}, "Period": 60, "Stat": "Average"}}]`
	return c
}

func TestARequestIsSignedForWhoeverTheSecretOrTheJobNames(t *testing.T) {
	t.Parallel()
	now := time.Unix(1764000010, 0)
	body := fmt.Sprintf(`{"MetricDataResults":[{"Id":"e1","StatusCode":"Complete","Timestamps":[%d],"Values":[99.5]}]}`, now.Unix()-70)
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAJOB", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "session-of-the-job"}
	for _, c := range []struct {
		name    string
		login   metric.Credentials
		id      string
		session string
	}{
		{"the Secret", metric.Credentials{metric.AWSKeyID: "AKIASECRET", metric.AWSSecret: "hunter3", metric.AWSSession: "session-of-the-secret"}, "AKIASECRET", "session-of-the-secret"},
		{"the job", nil, "AKIAJOB", "session-of-the-job"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan http.Header, 1)
			k := ofCloudWatch(serve(t, func(w http.ResponseWriter, r *http.Request) {
				seen <- r.Header.Clone()
				answer(200, body)(w, r)
			}))
			config := analysis.Config{Checks: []metric.Check{k}, Env: func(name string) string { return env[name] }}
			if c.login != nil {
				config.Checks[0].Secret, config.Credentials = &metric.SecretRef{Namespace: "test", Name: "login"}, holding(c.login)
			}
			if got := analyst(t, config).Check(t.Context(), now)[0]; got.Verdict != rollout.Pass {
				t.Fatal(got.Message)
			}
			h := <-seen
			if !strings.HasPrefix(h.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+c.id+"/") || h.Get("X-Amz-Security-Token") != c.session {
				t.Errorf("got %v", h)
			}
		})
	}
}

func TestASessionOfTheJobIsNotShown(t *testing.T) {
	t.Parallel()
	k := ofCloudWatch(serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(403, `{"__type":"AccessDeniedException","message":"not `+r.Header.Get("X-Amz-Security-Token")+`"}`)(w, r)
	}))
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAJOB", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "session-of-the-job"}
	a := analyst(t, analysis.Config{Checks: []metric.Check{k}, Env: func(name string) string { return env[name] }})
	const want = "success: the server wants other credentials (AccessDeniedException); it said: not ***"
	if got := a.Check(t.Context(), time.Unix(1764000010, 0))[0]; got.Verdict != rollout.Error || got.Message != want {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

func TestARequestThatNobodyCanSignIsNotSent(t *testing.T) {
	t.Parallel()
	k := ofCloudWatch(serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	a := analyst(t, analysis.Config{Checks: []metric.Check{k}, Env: func(name string) string {
		return map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}[name]
	}})
	if got := a.Check(t.Context(), time.Unix(1764000010, 0))[0]; got.Verdict != rollout.Error || !strings.HasPrefix(got.Message, "success: credentials of AWS: there are none") {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}
