package notify_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/notify"
)

func TestAnUnknownTypeIsAnErrorThatListsTheKnownOnes(t *testing.T) {
	t.Parallel()
	_, err := notify.For("pager")
	const want = `alert provider type "pager" is not supported; supported are discord, gchat, msteams, rocket, slack, webhook`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhatCannotBeRenderedIsRefusedWithoutShowingTheAddress(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	good := notify.Alert{Title: "Halt"}
	for _, test := range []struct {
		name, address, want string
		alert               notify.Alert
	}{
		{"no address", " \n", "has no address", good},
		{"no scheme", secret + ".example.com/hook", "is not an http:// or https:// URL", good},
		{"another scheme", "ftp://example.com/" + secret, "is not an http:// or https:// URL", good},
		{"no host", "https:///" + secret, "is not an http:// or https:// URL", good},
		{"not a URL", "https://example.com/%zz" + secret, "is not an http:// or https:// URL", good},
		{"line break within", "https://example.com/\n" + secret, "is not an http:// or https:// URL", good},
		{"nothing to say", "https://example.com/" + secret, "needs a title or a text", notify.Alert{Title: " ", Text: "\n"}},
		{"severity", "https://example.com/" + secret, `severity "fatal" of an alert: allowed are info, warn, error`, notify.Alert{Severity: "fatal", Title: "x"}},
	} {
		for _, name := range notify.List() {
			provider, err := notify.For(name)
			if err != nil {
				t.Fatal(err)
			}
			request, err := provider.Render(notify.Credentials{Address: notify.Secret(test.address)}, test.alert)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %s: got %v, want %s", name, test.name, err, test.want)
			}
			if request.URL != "" {
				t.Errorf("%s: %s: there is a request in spite of the error", name, test.name)
			}
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	for name, forms := range addresses {
		for form, to := range forms {
			request := render(t, name, to, alerts["promoted"])
			route := notify.Route{Address: to.Address, Proxy: "http://me:s3cr3t@proxy"}
			for _, value := range []any{to, &to, request, &request, route, []notify.Request{request}, map[string]any{"a": to}} {
				var log strings.Builder
				slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				shown := fmt.Sprintf("%v %+v %#v %s %q %x", value, value, value, value, value, value) + string(text) + log.String()
				if strings.Contains(shown, "s3cr3t") || strings.Contains(shown, fmt.Sprintf("%x", "s3cr3t")) {
					t.Errorf("%s/%s: %T shows a secret: %s", name, form, value, shown)
				}
				if !strings.Contains(shown, "***") {
					t.Errorf("%s/%s: %T does not show that there is a secret", name, form, value)
				}
			}
		}
	}
	if got := fmt.Sprint(render(t, "slack", addresses["slack"]["webhook"], alerts["promoted"])); got != "POST https://hooks.slack.com/***" {
		t.Errorf("a request prints as %q", got)
	}
}

func TestABotOfSlackNeedsNoAddress(t *testing.T) {
	t.Parallel()
	request := render(t, "slack", notify.Credentials{Token: "xoxb-1"}, alerts["promoted"])
	if request.URL != "https://slack.com/api/chat.postMessage" || request.Header["Authorization"][0] != "Bearer xoxb-1" {
		t.Errorf("posted to %s with %v", request.URL, request.Header)
	}
}

func TestATokenIsSentToWhoeverTakesOneOnly(t *testing.T) {
	t.Parallel()
	for _, name := range notify.List() {
		request := render(t, name, notify.Credentials{Address: "https://example.com/hook", Token: "xoxb-1"}, alerts["promoted"])
		if _, sent := request.Header["Authorization"]; sent != (name == "slack" || name == "webhook") {
			t.Errorf("%s: a token was sent: %t", name, sent)
		}
	}
}

func TestTheHostTellsConnectorsOfTeamsFromWorkflows(t *testing.T) {
	t.Parallel()
	for address, connector := range map[string]bool{
		"https://acme.webhook.office.com/webhookb2/x":                                          true,
		"https://ACME.Webhook.Office.com:443/webhookb2/x":                                      true,
		"https://outlook.office.com/webhook/x":                                                 true,
		"https://outlook.office365.com/webhook/x":                                              true,
		"https://prod-1.westeurope.logic.azure.com/workflows/x":                                false,
		"https://default1.2.environment.api.powerplatform.com/powerautomate/automations/x":     false,
		"https://webhook.office.com.evil.test/x":                                               false,
		"https://notwebhook.office.com/x":                                                      false,
		"https://proxy.example.com/acme.webhook.office.com?host=acme.webhook.office.com#x@a.b": false,
	} {
		body := string(render(t, "msteams", notify.Credentials{Address: notify.Secret(address)}, alerts["promoted"]).Body)
		if got := strings.Contains(body, `"MessageCard"`); got != connector {
			t.Errorf("%s is taken for a connector: %t", address, got)
		}
		if got := strings.Contains(body, `"AdaptiveCard"`); got == connector {
			t.Errorf("%s is taken for a workflow: %t", address, got)
		}
	}
}

func TestNamesThatDiscordRefusesAreLeftOut(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"penstock": "penstock", "My Discord": "", "CLYDE": "", "Everyone": "", "here": "", "somewhere": "somewhere", "": ""} {
		alert := alerts["promoted"]
		alert.Username = name
		var message struct{ Username string }
		if err := json.Unmarshal(render(t, "discord", addresses["discord"]["webhook"], alert).Body, &message); err != nil {
			t.Fatal(err)
		}
		if message.Username != want {
			t.Errorf("%q is sent as %q, want %q", name, message.Username, want)
		}
	}
}

func TestATextWithoutATitleIsItsOwnTitle(t *testing.T) {
	t.Parallel()
	type card struct{ Title, Text string }
	long := strings.TrimSpace(strings.Repeat("word ", 60))
	for text, want := range map[string]card{
		"Halt.":              {Title: "Halt."},
		"Halt.\nIt is slow.": {Title: "Halt.", Text: "Halt.\nIt is slow."},
		long:                 {Title: long[:249] + "…", Text: long},
	} {
		var message struct{ Attachments []card }
		request := render(t, "slack", addresses["slack"]["webhook"], notify.Alert{Severity: canary.SeverityWarn, Text: text})
		if err := json.Unmarshal(request.Body, &message); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, message.Attachments[0]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestAnswersThatRefuseAnAlertAreErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		provider string
		status   int
		body     string
		want     string // empty when the alert was taken
	}{
		{"slack", 200, "ok", ""},
		{"slack", 200, `{"ok":true,"ts":"1.2"}`, ""},
		{"slack", 200, `{"ok":false,"error":"channel_not_found"}`, "slack refused the alert: channel_not_found"},
		{"slack", 200, `{"ok":false,"error":"::error::<b> leak"}`, "slack refused the alert"},
		{"slack", 429, `{"ok":false,"error":"ratelimited"}`, "the alert provider answered with status 429: ratelimited"},
		{"slack", 404, "no_service\n", "the alert provider answered with status 404: no_service"},
		{"slack", 500, "<html>s3cr3t</html>", "the alert provider answered with status 500"},
		{"slack", 302, `{"ok":true}`, "the alert provider answered with status 302"},
		{"rocket", 200, `{"success":true}`, ""},
		{"rocket", 200, `{"success":false,"error":"s3cr3t"}`, "rocket.chat refused the alert"},
		{"rocket", 400, `{"success":false}`, "the alert provider answered with status 400"},
		{"msteams", 200, "1", ""},
		{"msteams", 202, "", ""},
		{"msteams", 200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", "teams refused the alert that the connector passed on"},
		{"msteams", 400, "Bad payload", "the alert provider answered with status 400"},
		{"discord", 204, "", ""},
		{"discord", 400, `{"embeds":["0"]}`, "the alert provider answered with status 400"},
		{"gchat", 200, `{"name":"spaces/A/messages/B"}`, ""},
		{"gchat", 403, "{}", "the alert provider answered with status 403"},
		{"gchat", 0, "", "the alert provider answered with status 0"},
	} {
		provider, err := notify.For(test.provider)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := provider.Parse(test.status, []byte(test.body)); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %d %s: got %q, want %q", test.provider, test.status, test.body, got, test.want)
		}
	}
}
