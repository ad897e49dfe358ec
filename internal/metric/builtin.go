package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names of the builtin metrics.
const (
	SuccessRate = "request-success-rate" // percent of the requests that were not answered by a 5xx
	Duration    = "request-duration"     // milliseconds
)

// Builtin holds the builtin queries of one traffic router, in PromQL, and the metrics that they read.
type Builtin struct {
	SuccessRate   string // template of a query that answers percent
	Duration      string // template of a query that answers milliseconds
	DurationMeans string // which duration that is, in words
	SuccessMeans  string // which requests are counted, in words; empty for those that went to the canary
	Count         string // template of a query that answers the number of requests in the window

	// ofPrimary turns a query for the canary into the same query for the primary; nil where the metrics cannot tell.
	ofPrimary *strings.Replacer

	// Request returns what one finished request adds to the metrics that are scraped with this router, the app's own
	// included. A store that sees a series for the first time has to write a zero before it: to PromQL, a counter that
	// begins at one has not increased.
	Request func(s Served) []Sample
}

// builtins maps spec.provider to the builtin queries. Each entry has a file and a line here.
var builtins = map[string]Builtin{
	"apisix":             apisix,
	"appmesh":            appmesh,
	"appmesh:v1beta2":    appmesh,
	"contour":            contour,
	"gatewayapi:v1":      gatewayAPI,
	"gatewayapi:v1beta1": gatewayAPI,
	"gloo":               gloo,
	"istio":              istio,
	"knative":            knative,
	"kubernetes":         kubernetes,
	"kuma":               kuma,
	"linkerd":            linkerd,
	"nginx":              nginx,
	"osm":                osm,
	"skipper":            skipper,
	"smi:v1alpha1":       smi,
	"smi:v1alpha2":       smi,
	"smi:v1alpha3":       smi,
	"traefik":            traefik,
}

// BuiltinFor returns the builtin queries of a spec.provider. An unknown name is an error that lists the known ones.
func BuiltinFor(provider string) (Builtin, error) {
	if b, ok := builtins[provider]; ok {
		return b, nil
	}
	return Builtin{}, fmt.Errorf("provider %q has no builtin metrics; %s have", provider, strings.Join(Builtins(), ", "))
}

// Builtins returns the names of all providers with builtin queries, sorted.
func Builtins() []string { return slices.Sorted(maps.Keys(builtins)) }
