package notify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/notify"
)

func TestAnAlertIsSentForItsSeverityAndThoseAbove(t *testing.T) {
	t.Parallel()
	const info, warn, fault = canary.SeverityInfo, canary.SeverityWarn, canary.SeverityError
	for _, test := range []struct {
		alert, event canary.Severity
		want         bool
	}{
		{info, info, true}, {info, warn, true}, {info, fault, true}, {info, "", true},
		{warn, info, false}, {warn, warn, true}, {warn, fault, true}, {warn, "", false},
		{fault, info, false}, {fault, warn, false}, {fault, fault, true}, {fault, "", false},
		{"", info, true}, {"", fault, true}, {"", "", true},
		{"loud", info, true}, {fault, "fatal", true},
	} {
		if got := notify.Due(test.alert, test.event); got != test.want {
			t.Errorf("an alert of %q is due for %q: %t, want %t", test.alert, test.event, got, test.want)
		}
	}
}

func provider(spec canary.AlertProviderSpec) *canary.AlertProvider {
	return &canary.AlertProvider{Spec: spec}
}

// lookup holds providers by namespace/name.
func lookup(ref canary.ObjectRef) *canary.AlertProvider {
	const hook = "https://example.com/s3cr3t"
	return map[string]*canary.AlertProvider{
		"test/slack":     provider(canary.AlertProviderSpec{Type: "slack", Address: hook, Channel: "ops", Username: "bot", Proxy: "http://proxy"}),
		"shared/teams":   provider(canary.AlertProviderSpec{Type: "msteams", Address: "ignored", SecretRef: &canary.SecretRef{Name: "teams-url"}}),
		"test/pager":     provider(canary.AlertProviderSpec{Type: "pager", Address: hook}),
		"test/nowhere":   provider(canary.AlertProviderSpec{Type: "discord"}),
		"test/elsewhere": provider(canary.AlertProviderSpec{Type: "discord", Address: "ftp://example.com/s3cr3t"}),
		"test/nameless":  provider(canary.AlertProviderSpec{Type: "discord", Address: hook, SecretRef: &canary.SecretRef{}}),
	}[ref.Namespace+"/"+ref.Name]
}

func withAlerts(alerts ...canary.Alert) *canary.Canary {
	c := &canary.Canary{}
	c.Name, c.Namespace = "podinfo", "test"
	c.Spec.Analysis = &canary.Analysis{Alerts: alerts}
	return c
}

func TestAlertsAreRoutedToTheirProviders(t *testing.T) {
	t.Parallel()
	routes, problems := notify.Plan(withAlerts(
		canary.Alert{Name: "ops", Severity: canary.SeverityWarn, ProviderRef: canary.ObjectRef{Name: "slack"}},
		canary.Alert{Name: "all", ProviderRef: canary.ObjectRef{Name: "teams", Namespace: "shared"}},
	), lookup)
	want := []notify.Route{
		{Alert: "ops", Severity: canary.SeverityWarn, Type: "slack", Provider: "slack", Namespace: "test",
			Address: "https://example.com/s3cr3t", Proxy: "http://proxy", Username: "bot", Channel: "ops"},
		{Alert: "all", Severity: canary.SeverityInfo, Type: "msteams", Provider: "teams", Namespace: "shared",
			Secret: "teams-url", Username: "penstock", Channel: "general"},
	}
	same := cmp.Comparer(func(a, b notify.Secret) bool { return string(a) == string(b) })
	if diff := cmp.Diff(want, routes, same); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
}

func TestEveryProblemOfTheAlertsIsListedAndHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	alert := func(name string) canary.Alert {
		return canary.Alert{Name: name, ProviderRef: canary.ObjectRef{Name: name}}
	}
	loud := alert("pager")
	loud.Severity = "loud"
	routes, problems := notify.Plan(withAlerts(alert("missing"), loud, alert("nowhere"), alert("slack"), alert("elsewhere"), alert("nameless")), lookup)
	want := []string{
		`spec.analysis.alerts[0].providerRef: alert "missing": there is no AlertProvider "missing" in namespace "test"`,
		`spec.analysis.alerts[1].severity: alert "pager": "loud" is not one of info, warn, error`,
		`spec.analysis.alerts[1].providerRef: alert "pager": AlertProvider "pager": spec.type: alert provider type "pager" is not supported; supported are discord, gchat, msteams, rocket, slack, webhook`,
		`spec.analysis.alerts[2].providerRef: alert "nowhere": AlertProvider "nowhere": spec.address: the alert provider has no address`,
		`spec.analysis.alerts[4].providerRef: alert "elsewhere": AlertProvider "elsewhere": spec.address: the alert provider's address (hidden) is not an http:// or https:// URL`,
		`spec.analysis.alerts[5].providerRef: alert "nameless": AlertProvider "nameless": spec.secretRef.name: missing`,
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if len(routes) != 1 || routes[0].Alert != "slack" {
		t.Errorf("routes: %v", routes)
	}
}

func TestACanaryWithoutAnalysisHasNoRoutes(t *testing.T) {
	t.Parallel()
	if routes, problems := notify.Plan(&canary.Canary{}, lookup); len(routes)+len(problems) > 0 {
		t.Errorf("routes %v, problems %q", routes, problems)
	}
}

func TestCredentialsComeFromTheSecretWhenThereIsOne(t *testing.T) {
	t.Parallel()
	plain := notify.Route{Type: "slack", Provider: "slack", Namespace: "test", Address: "https://example.com/a"}
	secret := plain
	secret.Secret = "chat"
	teams := secret
	teams.Type = "msteams"
	data := map[string][]byte{"address": []byte(" https://example.com/b\n"), "token": []byte("xoxb\n"), "other": []byte("s3cr3t")}
	for _, test := range []struct {
		name           string
		route          notify.Route
		data           map[string][]byte
		address, token string
		bad            bool
	}{
		{"no Secret", plain, data, "https://example.com/a", "", false},
		{"a Secret", secret, data, "https://example.com/b", "xoxb", false},
		{"a Secret without a token", secret, map[string][]byte{"address": data["address"]}, "https://example.com/b", "", false},
		{"a Secret with Slack's token only", secret, map[string][]byte{"token": data["token"]}, "", "xoxb", false},
		{"a Secret with another chat's token only", teams, map[string][]byte{"token": data["token"]}, "", "", true},
		{"a Secret without either", secret, map[string][]byte{"other": data["other"]}, "", "", true},
		{"a Secret with an empty address", secret, map[string][]byte{"address": []byte("\n")}, "", "", true},
		{"a missing Secret", secret, nil, "", "", true},
	} {
		to, err := test.route.Credentials(test.data)
		if string(to.Address) != test.address || string(to.Token) != test.token || (err != nil) != test.bad {
			t.Errorf("%s: got %q, %q, %v", test.name, string(to.Address), string(to.Token), err)
		}
		const want = `secret "chat" in namespace "test" of alert provider "slack" has no "address"`
		if err != nil && err.Error() != want {
			t.Errorf("%s: got %v, want %s", test.name, err, want)
		}
	}
}

func TestARouteRendersWithItsOwnSenderAndChannel(t *testing.T) {
	t.Parallel()
	route := notify.Route{Alert: "ops", Type: "rocket", Provider: "chat", Username: "bot", Channel: "#ops"}
	request, err := route.Render(notify.Credentials{Address: "https://example.com/a"}, alerts["promoted"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"username":"bot"`, `"channel":"#ops"`} {
		if !strings.Contains(string(request.Body), want) {
			t.Errorf("%s is not in %s", want, request.Body)
		}
	}
	const want = `alert "ops" to alert provider "chat": the alert provider has no address`
	if _, err := route.Render(notify.Credentials{}, alerts["promoted"]); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
