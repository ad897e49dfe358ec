package manifest

import (
	"fmt"
	"strings"
)

// mark stands in the rendered objects for a value of the chart. It is a word that YAML needs no quotes for.
func mark(name string) string { return "penstock-value-" + name }

// RenderChart returns the template of the chart: the same objects as RenderServer's, with the chart's values in the places
// of this command's inputs.
func RenderChart() ([]byte, error) {
	objects, err := RenderServer(Server{
		Namespace: mark("namespace"), Image: mark("image"), Replicas: 424242, Served: []string{mark("served")},
		Repositories: []string{mark("repositories")}, Host: mark("host"), IngressClass: mark("class"), TLSSecret: mark("tls"), AppKey: true,
		Settings: []Setting{{Name: "settings", Values: []string{mark("settings")}}}, LoadTester: true, EgressPorts: []int32{markedPort},
	})
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	out.WriteString("{{- /* Written by `go test ./internal/manifest -update` from what penstock render server prints. Do not edit. */ -}}\n")
	for _, o := range objects {
		text, err := RenderYAML([]Object{o})
		if err != nil {
			return nil, err
		}
		out.WriteString(templated(string(text)))
	}
	return []byte(out.String()), nil
}

// templated puts the chart's values into the text of one object.
func templated(text string) string {
	const served = `{{- range (.Values.namespaces | default (list .Release.Namespace)) }}` + "\n"
	perNamespace := strings.Contains(text, "namespace: "+mark("served"))
	ingress := strings.Contains(text, "kind: Ingress\n")
	for _, line := range []struct{ from, to string }{
		{"replicas: 424242", "replicas: {{ .Values.replicas }}"},
		{"  ingressClassName: " + mark("class") + "\n", "  {{- with .Values.ingressClass }}\n  ingressClassName: {{ . | quote }}\n  {{- end }}\n"},
		{tlsLines(), "  {{- with .Values.tlsSecret }}\n  tls:\n    - hosts:\n        - {{ $.Values.host | quote }}\n      secretName: {{ . | quote }}\n  {{- end }}\n"},
		{appKeyLines(), "            {{- if .Values.githubAppKey }}\n" + appKeyLines() + "            {{- end }}\n"},
		{settingLines, settingsTemplate},
		{portLines, "        {{- range .Values.egressPorts }}\n        - port: {{ . }}\n          protocol: TCP\n        {{- end }}\n"},
		{testerLines(), "    {{- if index .Values.settings \"load-tester\" }}\n" +
			strings.Replace(testerLines(), "\n                  - "+mark("served"), " {{ .Values.namespaces | default (list .Release.Namespace) | toJson }}", 1) + "    {{- end }}\n"},
		{"value: " + mark("served"), `value: {{ join "\n" (.Values.namespaces | default (list .Release.Namespace)) | quote }}`},
		{mark("served"), "{{ . | quote }}"},
		{mark("repositories"), `{{ join "\n" .Values.repositories | quote }}`},
		{mark("image"), `{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}`},
		{mark("namespace"), "{{ $.Release.Namespace | quote }}"},
		{mark("host"), "{{ .Values.host | quote }}"},
	} {
		text = strings.ReplaceAll(text, line.from, line.to)
	}
	switch {
	case perNamespace:
		return served + text + "{{- end }}\n"
	case ingress:
		return "{{- if .Values.host }}\n" + text + "{{- end }}\n"
	}
	return text
}

// markedPort stands for the ports of the chart's values.
const markedPort = 42424

const (
	settingLines     = "            - name: PENSTOCK_SETTINGS\n              value: penstock-value-settings\n"
	settingsTemplate = `            {{- range $name, $value := .Values.settings }}
            - name: {{ printf "PENSTOCK_%s" ($name | upper | replace "-" "_") }}
              value: {{ if kindIs "slice" $value }}{{ join "\n" $value | quote }}{{ else }}{{ toString $value | quote }}{{ end }}
            {{- end }}
`
	portLines = "        - port: 42424\n          protocol: TCP\n"
)

// testerLines are what lets a load tester out to the namespaces that are served.
func testerLines() string {
	return `    - to:
        - namespaceSelector:
            matchExpressions:
              - key: kubernetes.io/metadata.name
                operator: In
                values:
                  - ` + mark("served") + "\n"
}

func tlsLines() string {
	return fmt.Sprintf("  tls:\n    - hosts:\n        - %s\n      secretName: %s\n", mark("host"), mark("tls"))
}

func appKeyLines() string {
	const indent = "            "
	return indent + "- name: PENSTOCK_GITHUB_APP_KEY_FILE\n" + indent + "  value: " + secretsDir + "/github-app-key\n"
}
