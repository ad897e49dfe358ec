package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/notify"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const testdata = "../../testdata/notify"

// addresses are one for each form that a provider writes, by provider and name of the form.
var addresses = map[string]map[string]notify.Credentials{
	"discord": {
		"webhook": {Address: "https://discord.com/api/webhooks/123456789/s3cr3t-t0ken"},
		"flagger": {Address: "https://discord.com/api/webhooks/123456789/s3cr3t-t0ken/slack?wait=true"},
	},
	"gchat": {
		"webhook": {Address: "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k3y&token=s3cr3t-t0ken"},
		"thread":  {Address: "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k3y&token=s3cr3t-t0ken&threadKey=ours"},
	},
	"msteams": {
		"workflow":  {Address: "https://prod-07.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke?sig=s3cr3t-t0ken"},
		"connector": {Address: "https://acme.webhook.office.com/webhookb2/abc/IncomingWebhook/s3cr3t-t0ken"},
	},
	"rocket": {"webhook": {Address: "https://chat.example.com/hooks/abc/s3cr3t-t0ken\n"}},
	"slack": {
		"webhook": {Address: "https://hooks.slack.com/services/T0/B0/s3cr3t-t0ken"},
		"bot":     {Address: "https://slack.com/api/chat.postMessage", Token: "xoxb-s3cr3t-t0ken\n"},
	},
	"webhook": {
		"open":  {Address: "https://events.example.com/penstock?key=s3cr3t-t0ken"},
		"token": {Address: "https://events.example.com/penstock", Token: "s3cr3t-t0ken"},
	},
}

// hostile is text that means something to one platform or another.
const hostile = "<!channel> <!here|x> <@U123> <users/all> @everyone @here @all a@example.com app@sha256:0a1b " +
	"<at>all</at> <a href=\"http://evil.test\">b</a> <http://evil.test|safe> [safe](http://evil.test) ![x](http://evil.test/i.png) " +
	"*b* _i_ ~s~ `c` ||spoiler|| http_requests_total {{DATE(2020-01-01,LONG)}} \\*x\\* &amp; &lt;b&gt; \x1b[31m\x00 \u202egnp.exe\u202c " +
	"Z\u0300\u0301\u0302\u0303\u0304 \xff \U0001f468\u200d\U0001f469\u200d\U0001f467 ::error::x\n# title\n> quote\n- item\n\n\n\n```\nfence"

var alerts = map[string]notify.Alert{
	"promoted": {
		Severity: canary.SeverityInfo, Title: "Promotion completed", Text: "podinfo 6.1.0 takes all the traffic.",
		Namespace: "test", Canary: "podinfo", Username: "penstock", Channel: "general",
	},
	"failed": {
		Severity: canary.SeverityError, Title: "Canary failed and was rolled back",
		Text:    "request-success-rate was 91.2, and must be at least 99.\nrequest-duration was 480ms.",
		Fields:  []notify.Field{{Name: "Failed checks threshold", Value: "5"}, {Name: "Traffic routing", Value: "Weight step: 10 max: 50"}, {Name: "Empty"}},
		Links:   []notify.Link{{Name: "Run", URL: "https://ci.example.com/run/1?a=1&b=2"}, {URL: "https://docs.example.com/a(b)|c"}},
		Cluster: "prod-eu", Namespace: "test", Canary: "podinfo", Target: "Deployment/podinfo", Phase: "Failed",
		Username: "penstock", Channel: "#deployments", Thread: "test/podinfo/7",
	},
	"waiting": {
		Severity: canary.SeverityWarn, Text: "Waiting for approval.", Canary: "podinfo",
	},
	"hostile": {
		Severity: canary.SeverityWarn, Title: hostile, Text: hostile,
		Fields: []notify.Field{{Name: hostile, Value: hostile}, {Name: "\u202e", Value: "name"}, {Value: "nameless"}},
		Links: []notify.Link{
			{Name: hostile, URL: "https://ci.example.com/<!channel>|)](x)?q=`*\"'\u202e"}, {Name: "script", URL: "javascript:alert(1)"},
			{Name: "password", URL: "https://user:pass@example.com/"}, {Name: "relative", URL: "/run"}, {Name: "no URL"},
		},
		Cluster: hostile, Namespace: "<!channel>", Canary: "@everyone", Target: hostile, Phase: hostile,
		Username: "discord <!channel>", Channel: "#general\n@everyone", Thread: hostile,
	},
}

func TestEveryProviderHasAFileAndAFolder(t *testing.T) {
	t.Parallel()
	for _, name := range notify.List() {
		if _, err := os.Stat(name + ".go"); err != nil {
			t.Errorf("provider %s: %v", name, err)
		}
	}
	entries, err := os.ReadDir(testdata)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, entry := range entries {
		folders = append(folders, entry.Name())
	}
	if diff := cmp.Diff(notify.List(), folders); diff != "" {
		t.Errorf("folders below %s (-providers +folders):\n%s", testdata, diff)
	}
	if diff := cmp.Diff(notify.List(), slices.Sorted(maps.Keys(addresses))); diff != "" {
		t.Errorf("addresses in the tests (-providers +tests):\n%s", diff)
	}
	if diff := cmp.Diff(canary.AlertProviders(), notify.List()); diff != "" {
		t.Errorf("types that an AlertProvider may have (-allowed +supported):\n%s", diff)
	}
}

func TestRequestsAreAsInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, name := range notify.List() {
		known := map[string]bool{}
		for form, to := range addresses[name] {
			for what, alert := range alerts {
				file := form + "-" + what + ".golden"
				known[file] = true
				t.Run(name+"/"+form+"/"+what, func(t *testing.T) {
					t.Parallel()
					golden(t, filepath.Join(testdata, name, file), written(t, render(t, name, to, alert)))
				})
			}
		}
		entries, err := os.ReadDir(filepath.Join(testdata, name))
		if err != nil && !*update {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !known[entry.Name()] {
				t.Errorf("%s/%s belongs to no test", name, entry.Name())
			}
		}
	}
}

func render(t *testing.T, name string, to notify.Credentials, alert notify.Alert) notify.Request {
	t.Helper()
	provider, err := notify.For(name)
	if err != nil {
		t.Fatal(err)
	}
	request, err := provider.Render(to, alert)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// written is a request as text. Characters that cannot be seen are written as escapes.
func written(t *testing.T, r notify.Request) string {
	t.Helper()
	var b, body bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, key := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", key, strings.Join(r.Header[key], ", "))
	}
	if err := json.Indent(&body, r.Body, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	for _, c := range body.String() {
		if c != '\n' && !unicode.IsPrint(c) {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteRune(c)
		}
	}
	b.WriteByte('\n')
	return b.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
