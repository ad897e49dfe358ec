package notify

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Flagger's default channel, and the name of the sender when the AlertProvider has none.
const (
	defaultUsername = "penstock"
	defaultChannel  = "general"
)

// The keys of an AlertProvider's Secret.
const (
	addressKey = "address"
	tokenKey   = "token"
)

// Lookup returns the AlertProvider of that namespace and name, or nil when there is none.
type Lookup func(ref canary.ObjectRef) *canary.AlertProvider

// Route is where the alerts of one entry of spec.analysis.alerts go. It prints no secret.
type Route struct {
	Alert     string          // name of the entry
	Severity  canary.Severity // the lowest that is sent; never empty
	Type      string          // of the provider; For knows it
	Provider  string          // name of the AlertProvider
	Namespace string          // of the AlertProvider and of its Secret
	Secret    string          // name of the Secret that holds the address; empty when Address is set
	Address   Secret
	Proxy     Secret // URL of the proxy to post through; it may hold a password
	Username  string
	Channel   string
}

// Plan returns where the alerts of a canary go, in the order of spec.analysis.alerts, and what is wrong with the others:
// one sentence each, which names the field. The alerts that are in order are not held up by those that are not.
func Plan(c *canary.Canary, lookup Lookup) ([]Route, []string) {
	if c.Spec.Analysis == nil {
		return nil, nil
	}
	var routes []Route
	var problems []string
	for i := range c.Spec.Analysis.Alerts {
		alert := &c.Spec.Analysis.Alerts[i]
		route, wrong := planOne(c, alert, lookup)
		for _, w := range wrong {
			problems = append(problems, fmt.Sprintf("spec.analysis.alerts[%d]%s", i, w))
		}
		if len(wrong) == 0 {
			routes = append(routes, route)
		}
	}
	return routes, problems
}

func planOne(c *canary.Canary, alert *canary.Alert, lookup Lookup) (Route, []string) {
	var wrong []string
	say := func(field, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s: alert %q: ", field, alert.Name)+fmt.Sprintf(format, args...))
	}
	severity := alert.EffectiveSeverity()
	if rank(severity) < 0 {
		say(".severity", "%q is not one of %s", severity, strings.Join(severityNames(), ", "))
	}
	ref := c.Locate(alert.ProviderRef)
	p := lookup(ref)
	if p == nil {
		say(".providerRef", "there is no AlertProvider %q in namespace %q", ref.Name, ref.Namespace)
		return Route{}, wrong
	}
	spec := &p.Spec
	if _, err := For(spec.Type); err != nil {
		say(".providerRef", "AlertProvider %q: spec.type: %v", ref.Name, err)
	}
	r := Route{
		Alert: alert.Name, Severity: severity, Type: spec.Type, Provider: ref.Name, Namespace: ref.Namespace,
		Proxy: Secret(spec.Proxy), Username: orElse(spec.Username, defaultUsername), Channel: orElse(spec.Channel, defaultChannel),
	}
	switch {
	case spec.SecretRef != nil && spec.SecretRef.Name != "":
		r.Secret = spec.SecretRef.Name // it wins over the address, as in Flagger
	case spec.SecretRef != nil:
		say(".providerRef", "AlertProvider %q: spec.secretRef.name: missing", ref.Name)
	default:
		r.Address = Secret(spec.Address)
		if _, err := endpoint(r.Address); err != nil {
			say(".providerRef", "AlertProvider %q: spec.address: %v", ref.Name, err)
		}
	}
	return r, wrong
}

// Credentials returns where to post to. data is the Secret that the route names, nil when it names none. The error names
// what the Secret lacks.
func (r *Route) Credentials(data map[string][]byte) (Credentials, error) {
	if r.Secret == "" {
		return Credentials{Address: r.Address}, nil
	}
	text := func(key string) Secret { return Secret(strings.TrimSpace(string(data[key]))) }
	to := Credentials{Address: text(addressKey), Token: text(tokenKey)}
	if to.Address == "" && (to.Token == "" || r.Type != "slack") {
		return Credentials{}, fmt.Errorf("secret %q in namespace %q of alert provider %q has no %q", r.Secret, r.Namespace, r.Provider, addressKey)
	}
	return to, nil
}

// Render returns the request that posts an alert on this route, from the sender and to the channel of its AlertProvider.
func (r *Route) Render(to Credentials, a Alert) (Request, error) {
	p, err := For(r.Type)
	if err != nil {
		return Request{}, err
	}
	a.Username, a.Channel = r.Username, r.Channel
	request, err := p.Render(to, a)
	if err != nil {
		return Request{}, fmt.Errorf("alert %q to alert provider %q: %w", r.Alert, r.Provider, err)
	}
	return request, nil
}

func orElse(text, fallback string) string {
	if text != "" {
		return text
	}
	return fallback
}
