package metric

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// keptn reads the value of a KeptnMetric, which Keptn's operator keeps up to date in the cluster.
var keptn = Provider{
	Needs: keptnNeeds, Request: keptnRequest, Parse: keptnParse,
	Lint: func(query string) error { _, _, err := parseKeptn(query); return err },
}

var keptnNeeds = Needs{Example: "https://kubernetes.example.com:6443", Cluster: true}

// parseKeptn reads a query such as keptnmetric/test/response-time. What Flagger allows to follow the name is of no
// meaning for a KeptnMetric.
func parseKeptn(query string) (namespace, name string, err error) {
	if err := lintText(query); err != nil {
		return "", "", err
	}
	parts := segments(query)
	switch kind := strings.ToLower(parts[0]); {
	case kind == "analysis" || kind == "analyses":
		return "", "", errors.New("query: an Analysis is not supported, since asking it means creating one in the cluster; " +
			"name the KeptnMetrics that it weighs, such as keptnmetric/test/response-time")
	case (kind != "keptnmetric" && kind != "keptnmetrics") || len(parts) < 3:
		return "", "", errors.New("query: it must name a KeptnMetric with its namespace, such as keptnmetric/test/response-time")
	}
	return parts[1], parts[2], errors.Join(objectName("the namespace", parts[1]), objectName("the KeptnMetric", parts[2]))
}

func keptnRequest(s Source, q Query) (Request, error) {
	namespace, name, err := parseKeptn(q.Text)
	if err != nil {
		return Request{}, err
	}
	u, r, err := kubeCall(s, keptnNeeds, "metrics.keptn.sh", "v1beta1", "namespaces", namespace, "keptnmetrics", name)
	if err != nil {
		return Request{}, err
	}
	r.URL = u.String()
	return r, nil
}

type keptnMetric struct {
	Kind   string `json:"kind"`
	Status struct {
		Value   string `json:"value"`
		Updated string `json:"lastUpdated"`
		Error   string `json:"errMsg"`
	} `json:"status"`
}

func keptnParse(q Query, status int, body []byte) Answer {
	if a, is := refused(status, body); is {
		return a
	}
	var m keptnMetric
	if json.Unmarshal(body, &m) != nil || m.Kind != "KeptnMetric" {
		return foreign("Keptn", body)
	}
	switch {
	case m.Status.Error != "": // the value is then the last that Keptn could read
		return Answer{Message: "Keptn could not read the metric: " + Shown([]byte(m.Status.Error))}.with(body)
	case m.Status.Value == "":
		return noData("Keptn has not read the metric yet").with(body)
	}
	value, err := strconv.ParseFloat(m.Status.Value, 64)
	if err != nil {
		return foreign("Keptn", body)
	}
	a, err := stamped(q, m.Status.Updated, 0, value)
	if err != nil {
		return foreign("Keptn", body)
	}
	return a.with(body)
}
