package cloud_test

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

// clouds answers for every host, by "METHOD host/path" and, for the API of STS, the action of the form. What nobody
// planned is a failure of the test.
type clouds struct {
	t       *testing.T
	answers map[string]string

	mu    sync.Mutex
	asked []string
	sent  map[string]string // bodies and the headers that prove who asks
}

func (c *clouds) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	name := cmp.Or(req.Method, "GET") + " " + req.URL.Host + req.URL.Path
	if action, rest, ok := strings.Cut(body, "&"); ok && strings.HasPrefix(action, "Action=") {
		name, body = name+" "+action, rest
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, planned := c.answers[name]
	c.asked = append(c.asked, name)
	if c.sent == nil {
		c.sent = map[string]string{}
	}
	c.sent[name] = body + " " + req.Header.Get("Authorization") + req.Header.Get("X-Aws-Ec2-Metadata-Token")
	status := 200
	if !planned {
		if len(c.answers) > 0 {
			c.t.Errorf("nobody planned %s; planned is %q", name, slices.Sorted(maps.Keys(c.answers)))
		}
		return nil, fmt.Errorf("connect: %w", errUnreachable)
	}
	if code, rest, ok := strings.Cut(answer, "|"); ok {
		if _, err := fmt.Sscan(code, &status); err != nil {
			return nil, err
		}
		answer = rest
	}
	header := http.Header{"Content-Type": {"text/xml"}, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"21600"}}
	if strings.HasPrefix(answer, "{") {
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
}

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func ofAWS(login metric.Credentials) *metric.Request {
	return &metric.Request{
		Method: "POST", URL: "https://monitoring.eu-central-1.amazonaws.com/", Body: "{}",
		Header: map[string][]string{"Content-Type": {"application/x-amz-json-1.0"}},
		Sign:   metric.Signature{AWS: &metric.AWS{Region: "eu-central-1", Service: "monitoring", Login: login}},
	}
}

func ofGoogle(account string) *metric.Request {
	return &metric.Request{
		Method: "POST", URL: "https://monitoring.googleapis.com/v3/projects/shop/timeSeries:query", Header: map[string][]string{},
		Sign: metric.Signature{Google: &metric.Google{
			Scope: "https://www.googleapis.com/auth/monitoring.read", Audience: "https://monitoring.googleapis.com/", Account: account,
		}},
	}
}
