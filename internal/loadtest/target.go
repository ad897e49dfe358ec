package loadtest

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// parseTarget reads the URL of a target. The problem is empty when it may be called.
func parseTarget(raw string, namespaces *regexp.Regexp) (target *url.URL, problem string) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, "the URL cannot be read: allowed is http://host/path or https://host/path"
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, fmt.Sprintf("URL %q: allowed is http://host/path or https://host/path", short(httpx.RedactURL(raw)))
	}
	if namespaces == nil {
		return u, ""
	}
	if ns := namespaceOf(u.Hostname()); ns != "" && !namespaces.MatchString(ns) {
		return nil, fmt.Sprintf("URL %q leads to namespace %q: allowed are those that match %q (a host outside of the cluster ends with a dot)",
			short(httpx.RedactURL(raw)), ns, namespaces)
	}
	return u, ""
}

// namespaceOf returns the namespace that a host is in, or "" when its name has none. A name of two labels is a Service
// and its namespace: in a pod it is looked up as such first, and a namespace may well be called like a top-level domain.
// This keeps hooks from the wrong target by mistake; only a NetworkPolicy keeps them from it by intent.
func namespaceOf(host string) string {
	if net.ParseIP(host) != nil {
		return ""
	}
	labels := strings.Split(strings.ToLower(host), ".")
	for i, label := range labels {
		if label == "svc" && i >= 2 {
			return labels[i-1]
		}
	}
	if len(labels) == 2 {
		return labels[1]
	}
	return ""
}
