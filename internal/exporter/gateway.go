package exporter

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	dto "github.com/prometheus/client_model/go"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// job is the job that pushed metrics have.
const job = "penstock"

// pushTimeout bounds one push: a rollout that is over waits for its last one.
const pushTimeout = 2 * time.Second

// Gateway is a Pushgateway.
type Gateway struct {
	address string // without credentials
	user    *url.Userinfo
	version string
	client  *httpx.Client
}

// ParseGateway reads the address of a Pushgateway, such as https://user:password@push.example.com. What is wrong with it
// is said without its credentials.
func ParseGateway(address, version string) (*Gateway, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("the address cannot be read; it is a URL such as http://pushgateway:9091")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("%q is not a URL such as http://pushgateway:9091", httpx.RedactURL(address))
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment, which the address of a Pushgateway cannot have", httpx.RedactURL(address))
	}
	g := &Gateway{user: u.User, version: version}
	u.User = nil
	g.address = u.String()
	g.client = httpx.New(httpx.Options{Version: version, Timeout: pushTimeout, MaxBody: 64 << 10})
	return g, nil
}

// Close closes the connections.
func (g *Gateway) Close() { g.client.CloseIdle() }

// pusher returns what pushes the metrics of a rollout. Their labels name and namespace are the group that they are
// pushed to: the Pushgateway puts them back, and the rollouts of other targets keep their own metrics.
func (g *Gateway) pusher(f *Feed) *push.Pusher {
	info, total := newInfo(), newTotal()
	info.WithLabelValues(g.version, f.subject.Provider).Set(1)
	total.WithLabelValues(f.subject.Namespace).Set(1)
	common := prometheus.NewRegistry()
	common.MustRegister(info, total)
	p := push.New(g.address, job).Client(plainErrors{g.client}).
		Grouping("namespace", f.subject.Namespace).Grouping("name", f.subject.Target).
		Gatherer(grouped{prometheus.Gatherers{common, f.registry}})
	if g.user != nil {
		password, _ := g.user.Password()
		p.BasicAuth(g.user.Username(), password)
	}
	return p
}

// grouped leaves out the labels that the group of a push has.
type grouped struct{ prometheus.Gatherer }

func (g grouped) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := make([]*dto.LabelPair, 0, len(m.GetLabel())) // the pairs are shared with the metric itself
			for _, label := range m.GetLabel() {
				if n := label.GetName(); n != "name" && n != "namespace" {
					labels = append(labels, label)
				}
			}
			m.Label = labels
		}
	}
	return families, err
}

// plainErrors makes the errors of a push those of httpx: in plain words and without secrets.
type plainErrors struct{ client *httpx.Client }

func (c plainErrors) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.client.HTTP().Do(req)
	if err != nil {
		return nil, httpx.Explain(err, req.URL.String(), pushTimeout)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answered %d", httpx.RedactURL(req.URL.Scheme+"://"+req.URL.Host), resp.StatusCode)
	}
	return resp, nil
}
