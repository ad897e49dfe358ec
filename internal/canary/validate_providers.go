package canary

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// MetricProviders are the types that a MetricTemplate's provider may have.
func MetricProviders() []string {
	return []string{
		"cloudwatch", "datadog", "dynatrace", "externalmetrics", "graphite", "influxdb", "keptn", "load", "newrelic",
		"prometheus", "splunk", "stackdriver",
	}
}

// AlertProviders are the types that an AlertProvider may have.
func AlertProviders() []string {
	return []string{"discord", "gchat", "msteams", "rocket", "slack", "webhook"}
}

// TemplateFunctions are the functions that the query of a MetricTemplate may call.
func TemplateFunctions() []string {
	return []string{"ingress", "interval", "name", "namespace", "route", "service", "target", "variables"}
}

// withAddress are the metric providers that have no address of their own.
var withAddress = []string{"prometheus", "graphite", "influxdb", "dynatrace", "splunk"}

func validateTemplate(v *validator, t *MetricTemplate) {
	validateMeta(v, &t.ObjectMeta)
	if !v.src.has("spec") {
		v.missing("spec", "provider and query")
		return
	}
	const path = "spec.provider"
	p := &t.Spec.Provider
	if v.required(path+".type", p.Type, "one of "+strings.Join(MetricProviders(), ", ")) {
		v.oneOf(path+".type", p.Type, MetricProviders())
	}
	v.url(path+".address", p.Address, true)
	if p.Address == "" && slices.Contains(withAddress, p.Type) {
		v.missing(path+".address", "the http:// or https:// URL of the "+p.Type+" server")
	}
	if p.Region == "" && p.Type == "cloudwatch" {
		v.missing(path+".region", "the AWS region, such as eu-west-1")
	}
	v.secretRef(path, p.SecretRef)
	if v.required("spec.query", strings.TrimSpace(t.Spec.Query), "the query to run") {
		v.query("spec.query", t.Spec.Query)
	}
}

func (v *validator) secretRef(path string, ref *SecretRef) {
	if ref != nil && v.required(path+".secretRef.name", ref.Name, "the name of a Secret") {
		v.name(path+".secretRef.name", ref.Name)
	}
}

// templateError is how text/template begins its messages.
var templateError = regexp.MustCompile(`^template: query:(\d+):(?:\d+:)? ?`)

// query checks that a query is a template that can be filled.
func (v *validator) query(path, text string) {
	functions := template.FuncMap{}
	for _, name := range TemplateFunctions() {
		functions[name] = func() string { return "" }
	}
	_, err := template.New("query").Funcs(functions).Parse(text)
	if err == nil {
		return
	}
	message, line := err.Error(), "1"
	if m := templateError.FindStringSubmatch(message); m != nil {
		message, line = message[len(m[0]):], m[1]
	}
	if name, ok := strings.CutPrefix(message, "function "); ok {
		name = strings.Trim(strings.TrimSuffix(name, " not defined"), `"`)
		message = fmt.Sprintf("there is no function %q; allowed are %s%s", name, strings.Join(TemplateFunctions(), ", "), didYouMean(name, TemplateFunctions()))
	}
	v.bad(path, text, fmt.Sprintf("line %s of the query is not a valid template: %s", line, message))
}

func validateProvider(v *validator, p *AlertProvider) {
	validateMeta(v, &p.ObjectMeta)
	if !v.src.has("spec") {
		v.missing("spec", "type, and address or secretRef")
		return
	}
	if v.required("spec.type", p.Spec.Type, "one of "+strings.Join(AlertProviders(), ", ")) {
		v.oneOf("spec.type", p.Spec.Type, AlertProviders())
	}
	if p.Spec.Address == "" && p.Spec.SecretRef == nil && !v.src.excused("spec.secretRef") {
		v.missing("spec.address", "the URL to post to; or name the Secret that holds it in spec.secretRef")
	}
	v.url("spec.address", p.Spec.Address, true)
	v.url("spec.proxy", p.Spec.Proxy, true)
	v.secretRef("spec", p.Spec.SecretRef)
}
