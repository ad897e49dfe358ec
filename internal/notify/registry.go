package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Provider is the codec of one type of AlertProvider. Its functions are pure.
type Provider struct {
	// Render returns the request that posts an alert. The error names what is wrong with the credentials or the alert, and
	// shows no secret.
	Render func(to Credentials, a Alert) (Request, error)

	// Parse reads the answer to the request, an HTTP status and a body, and returns nil when the platform took the alert.
	// Some answer 200 to what they refuse. The error repeats no more of the body than a platform's own error code.
	Parse func(status int, body []byte) error
}

// providers maps spec.type of an AlertProvider to its codec. Each entry has a file, a line here and a folder below
// testdata/notify/.
var providers = map[string]Provider{
	"discord": discord,
	"gchat":   gchat,
	"msteams": msteams,
	"rocket":  rocket,
	"slack":   slack,
	"webhook": webhook,
}

// For returns the codec of a type of AlertProvider. An unknown type is an error that lists the known ones.
func For(kind string) (Provider, error) {
	if p, ok := providers[kind]; ok {
		return p, nil
	}
	return Provider{}, fmt.Errorf("alert provider type %q is not supported; supported are %s", kind, strings.Join(List(), ", "))
}

// List returns the types of all providers, sorted.
func List() []string { return slices.Sorted(maps.Keys(providers)) }
