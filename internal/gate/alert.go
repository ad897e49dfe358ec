package gate

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

// alertTimeout is how long a chat has for one alert, as in Flagger.
const alertTimeout = 5 * time.Second

// alertWaits are the pauses before an alert that was not taken is sent again. A chat that refuses it for good is not
// asked again. One that does not answer may have taken it: at night, an alert that comes twice is better than none.
var alertWaits = [...]time.Duration{time.Second, 3 * time.Second}

// longestAlertWait is how long a chat that is written to too often is waited for, when it says how long: chats take about a
// message a second. Alerts are sent one after the other, so that a longer wait would hold up those that follow.
const longestAlertWait = 15 * time.Second

// AlertConfig is what the Alerts of a run are made of.
type AlertConfig struct {
	Canary  *canary.Canary
	Route   notify.Route
	Clock   clock.Clock
	Version string // of penstock, for the User-Agent

	// Links returns what people can open now: the job, the request, the report. It must not wait. Nil is none.
	Links func(over bool) []notify.Link

	// Secret reads the Secret of the route. It is called when the first alert is due.
	Secret func(ctx context.Context, namespace, name string) (map[string][]byte, error)

	Through httpx.Through // the way to providers that the network does not lead to; nil for none

	// Failed is told of alerts that were not taken: the first of them, and then each new reason.
	Failed func(error)
}

// Alerts sends the alerts of a rollout to one AlertProvider, in their order. It is best effort and never holds up the
// rollout.
type Alerts struct {
	AlertConfig
	client *httpx.Client
	to     *notify.Credentials // nil before the Secret was read
	failed string              // why the last alert was not taken

	last report.Snapshot // of the update before
}

// NewAlerts calls nobody yet. The error says what is wrong with the proxy of the AlertProvider.
func NewAlerts(c AlertConfig) (*Alerts, error) {
	o := httpx.Options{Version: c.Version, Timeout: alertTimeout, MaxBody: maxBody, NoRedirects: true, CutBody: true, Through: c.Through}
	if proxy := string(c.Route.Proxy); proxy != "" {
		at, err := url.Parse(proxy)
		if err != nil || at.Host == "" {
			return nil, fmt.Errorf("alert provider %q: spec.proxy is no URL such as http://proxy.example.com:3128", c.Route.Provider)
		}
		o.Proxy = at
	}
	return &Alerts{AlertConfig: c, client: httpx.New(o)}, nil
}

// Close ends the connections.
func (a *Alerts) Close() { a.client.CloseIdle() }

// Report sends what an update is worth, if the entry of the canary wants to hear of it.
func (a *Alerts) Report(ctx context.Context, u runner.Update) {
	alert, due := a.alert(&u)
	a.last = u.Snapshot
	if due {
		a.raise(ctx, alert)
	}
}

// Unfinished sends that the run ended before its rollout did, and why. It must not be called during Report.
func (a *Alerts) Unfinished(ctx context.Context, why error) {
	a.raise(ctx, a.unfinished(why))
}

// raise sends an alert, if the entry of the canary wants to hear of it.
func (a *Alerts) raise(ctx context.Context, alert notify.Alert) {
	if !notify.Due(a.Route.Severity, alert.Severity) {
		return
	}
	switch err := a.send(ctx, alert); {
	case ctx.Err() != nil:
	case err == nil:
		a.failed = ""
	case err.Error() != a.failed:
		if a.failed = err.Error(); a.Failed != nil {
			a.Failed(err)
		}
	}
}

// send posts an alert until it is taken, refused for good, or the tries are over.
func (a *Alerts) send(ctx context.Context, alert notify.Alert) error {
	if a.to == nil {
		to, err := a.credentials(ctx)
		if err != nil {
			return fmt.Errorf("alert %q: %w", a.Route.Alert, err)
		}
		a.to = &to
	}
	request, err := a.Route.Render(*a.to, alert)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		again, after, err := a.post(ctx, request)
		if err == nil || !again || try == len(alertWaits) || after > longestAlertWait {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-a.Clock.After(max(after, alertWaits[try])):
		}
	}
}

func (a *Alerts) credentials(ctx context.Context) (notify.Credentials, error) {
	var data map[string][]byte
	if a.Route.Secret != "" {
		var err error
		if data, err = a.Secret(ctx, a.Route.Namespace, a.Route.Secret); err != nil {
			return notify.Credentials{}, err
		}
	}
	return a.Route.Credentials(data)
}

// post sends a request once, and says whether to send it again, and how long the chat wants to be left alone before. The URL
// is a secret, and so are the errors that have it.
func (a *Alerts) post(ctx context.Context, r notify.Request) (again bool, after time.Duration, err error) {
	where := fmt.Sprintf("alert %q: alert provider %q", a.Route.Alert, a.Route.Provider)
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return false, 0, fmt.Errorf("%s: its address is no URL", where)
	}
	req.Header = r.Header
	answer, err := a.client.Do(ctx, req)
	if err != nil {
		return true, 0, fmt.Errorf("%s: %s did not take it: no answer, or none in time", where, r)
	}
	provider, err := notify.For(a.Route.Type)
	if err != nil {
		return false, 0, err
	}
	if err := provider.Parse(answer.Status, answer.Body); err != nil {
		again := answer.Status == http.StatusTooManyRequests || answer.Status >= 500
		return again, httpx.RetryAfter(answer.Header, a.Clock.Now(), 0), fmt.Errorf("%s: %w", where, err)
	}
	return false, 0, nil
}
