package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
)

// externalmetrics reads the external metrics API, external.metrics.k8s.io/v1beta1, which autoscalers read too.
var externalmetrics = Provider{
	Needs: externalNeeds, Request: externalRequest, Parse: externalParse,
	Lint: func(query string) error { _, err := parseExternal(query); return err },
}

var externalNeeds = Needs{Example: "https://external-metrics.monitoring:8443", Cluster: true}

// externalQuery is a query such as test/queue-length?labelSelector=app%3Dpodinfo.
type externalQuery struct{ namespace, metric, selector string }

func parseExternal(query string) (externalQuery, error) {
	const form = "such as test/queue-length?labelSelector=app%3Dpodinfo"
	e := externalQuery{namespace: "default"}
	if err := lintText(query); err != nil {
		return e, err
	}
	names, parameters, _ := strings.Cut(query, "?")
	parts := segments(names)
	switch {
	case len(parts) > 2:
		return e, fmt.Errorf("query: %q has more than a namespace and a metric, %s", names, form)
	case len(parts) == 2 && parts[0] != "":
		e.namespace = parts[0]
	}
	e.metric = parts[len(parts)-1]
	values, err := url.ParseQuery(strings.TrimSpace(parameters))
	if err != nil {
		return e, fmt.Errorf("query: what follows the ? is not the query of a URL, %s: %w", form, err)
	}
	for key := range values {
		if key != "labelSelector" {
			return e, fmt.Errorf("query: the parameter %q is not labelSelector, %s", key, form)
		}
	}
	e.selector = values.Get("labelSelector")
	if _, err := labels.Parse(e.selector); err != nil {
		return e, fmt.Errorf("query: labelSelector: %w", err)
	}
	if e.metric == "" || e.metric == "." || e.metric == ".." {
		return e, errors.New("query: the name of a metric is missing, " + form)
	}
	return e, objectName("the namespace", e.namespace)
}

func externalRequest(s Source, q Query) (Request, error) {
	e, err := parseExternal(q.Text)
	if err != nil {
		return Request{}, err
	}
	u, r, err := kubeCall(s, externalNeeds, "external.metrics.k8s.io", "v1beta1", "namespaces", e.namespace, e.metric)
	if err != nil {
		return Request{}, err
	}
	if e.selector != "" {
		ask(u, url.Values{"labelSelector": {e.selector}})
	}
	r.URL = u.String()
	return r, nil
}

type externalList struct {
	Items *[]struct {
		Time   string `json:"timestamp"`
		Window int64  `json:"window"` // seconds before the timestamp that the value is of
		Value  string `json:"value"`
	} `json:"items"`
}

func externalParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var list externalList
	if json.Unmarshal(body, &list) != nil || list.Items == nil {
		return foreign("the external metrics API", body)
	}
	switch items := *list.Items; {
	case len(items) == 0:
		return noData("there is no such metric").with(body)
	case len(items) > 1:
		return several(len(items), "use a labelSelector that selects one").with(body)
	}
	item := (*list.Items)[0]
	if strings.EqualFold(item.Value, "NaN") { // it is no quantity, but what adapters make of a division by zero
		return noData("the value is NaN").with(body)
	}
	value, err := resource.ParseQuantity(item.Value)
	if err != nil {
		return foreign("the external metrics API", body)
	}
	a, err := stamped(q, item.Time, time.Duration(item.Window)*time.Second, value.AsApproximateFloat64())
	if err != nil {
		return foreign("the external metrics API", body)
	}
	return a.with(body)
}
