package gate

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// alertTimeout is how long a chat has for one alert, as in Flagger.
const alertTimeout = 5 * time.Second

// alertWaits are the pauses before an alert that was not taken is sent again. A chat that refuses it for good is not
// asked again. One that does not answer may have taken it: at night, an alert that comes twice is better than none.
var alertWaits = [...]time.Duration{time.Second, 3 * time.Second}

// AlertConfig is what the Alerts of a run are made of.
type AlertConfig struct {
	Canary  *canary.Canary
	Route   notify.Route
	Clock   clock.Clock
	Version string // of penstock, for the User-Agent
	RunURL  string // of the job, a link in every alert; may be empty

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

	phase rollout.Phase   // of the update before
	gate  canary.HookType // that was closed at the update before
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
	a.phase, a.gate = u.Snapshot.Status.Phase, closedGate(&u.Snapshot.Status)
	if !due || !notify.Due(a.Route.Severity, alert.Severity) {
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

// alert is what Flagger would say at this moment, with the reason, which Flagger leaves out.
func (a *Alerts) alert(u *runner.Update) (notify.Alert, bool) {
	s := &u.Snapshot
	alert := notify.Alert{Namespace: s.Namespace, Canary: s.Canary, Phase: string(s.Status.Phase), Thread: s.Status.Revision}
	kind := a.Canary.Spec.TargetRef.Kind
	alert.Target = kind + "/" + a.Canary.Spec.TargetRef.Name
	say := func(severity canary.Severity, title string) (notify.Alert, bool) {
		alert.Severity, alert.Title, alert.Text = severity, title, report.Clean(s.Reason)
		a.details(&alert, s)
		return alert, true
	}
	switch {
	case s.Outcome == rollout.Promoted && s.Spec.Skip:
		return say(canary.SeverityInfo, "Canary analysis was skipped, promotion finished.")
	case s.Outcome == rollout.Promoted:
		return say(canary.SeverityInfo, "Canary analysis completed successfully, promotion finished.")
	case s.Outcome == rollout.Initialised:
		return say(canary.SeverityInfo, "New "+kind+" detected, initialization completed.")
	case s.Outcome == rollout.Halted && s.Status.Promoted != s.Status.Revision:
		return say(canary.SeverityError, "Canary analysis failed, the rollout is halted.")
	case s.Outcome == rollout.Halted:
		return say(canary.SeverityError, "Promotion failed, the rollout is halted.")
	case s.Outcome == rollout.Cancelled:
		return say(canary.SeverityWarn, "The job was cancelled.")
	case s.Status.Phase == rollout.RollingBack && a.phase != rollout.RollingBack && s.Status.Reason.Code == rollout.StopAsked:
		return say(canary.SeverityWarn, "Rolling back, as was asked for.")
	case s.Status.Phase == rollout.RollingBack && a.phase != rollout.RollingBack:
		return say(canary.SeverityError, "Rolling back.")
	case closedGate(&s.Status) != "" && s.Status.Gate != a.gate && !a.muted(s.Status.Gate):
		return say(canary.SeverityWarn, waitsFor(s.Status.Gate))
	case begins(u.Events):
		return say(canary.SeverityInfo, "New revision detected, progressing canary analysis.")
	}
	return alert, false
}

// begins reports whether the analysis of a new revision has begun.
func begins(events []rollout.Event) bool {
	for _, e := range events {
		if strings.HasPrefix(e.Message, "New revision detected!") {
			return true
		}
	}
	return false
}

// closedGate is the gate that has said no, or none: one that opens as soon as it is asked calls nobody. What a group waits
// for is no approval.
func closedGate(st *rollout.Status) canary.HookType {
	if !st.Held || st.Gate == rollout.GroupGate {
		return ""
	}
	return st.Gate
}

func waitsFor(gate canary.HookType) string {
	switch gate {
	case canary.HookConfirmTrafficIncrease:
		return "Canary traffic increase is waiting for approval."
	case canary.HookConfirmPromotion:
		return "Canary promotion is waiting for approval."
	}
	return "Canary is waiting for approval."
}

// muted reports whether the webhook of a gate wants no alert.
func (a *Alerts) muted(gate canary.HookType) bool {
	for i := range a.Canary.Spec.Analysis.Webhooks {
		if w := &a.Canary.Spec.Analysis.Webhooks[i]; w.EffectiveType() == gate && w.MuteAlert {
			return true
		}
	}
	return false
}

// details adds Flagger's fields, and the job.
func (a *Alerts) details(alert *notify.Alert, s *report.Snapshot) {
	add := func(name, value string) {
		if value != "" {
			alert.Fields = append(alert.Fields, notify.Field{Name: name, Value: value})
		}
	}
	add("Image", s.Image)
	if s.Status.Step > 0 {
		add("Traffic routing", fmt.Sprintf("%d %% at step %d of %d", s.Status.Weight, s.Status.Step, len(s.Spec.Steps)))
	}
	if s.Status.Failed > 0 {
		add("Failed checks", strconv.Itoa(s.Status.Failed)+" of "+strconv.Itoa(s.Spec.Threshold))
	}
	if a.RunURL != "" {
		alert.Links = []notify.Link{{Name: "Job", URL: a.RunURL}}
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
		again, err := a.post(ctx, request)
		if err == nil || !again || try == len(alertWaits) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-a.Clock.After(alertWaits[try]):
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

// post sends a request once. The URL is a secret, and so are the errors that have it.
func (a *Alerts) post(ctx context.Context, r notify.Request) (again bool, err error) {
	where := fmt.Sprintf("alert %q: alert provider %q", a.Route.Alert, a.Route.Provider)
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return false, fmt.Errorf("%s: its address is no URL", where)
	}
	req.Header = r.Header
	answer, err := a.client.Do(ctx, req)
	if err != nil {
		return true, fmt.Errorf("%s: %s did not take it: no answer, or none in time", where, r)
	}
	provider, err := notify.For(a.Route.Type)
	if err != nil {
		return false, err
	}
	if err := provider.Parse(answer.Status, answer.Body); err != nil {
		return answer.Status == http.StatusTooManyRequests || answer.Status >= 500, fmt.Errorf("%s: %w", where, err)
	}
	return false, nil
}
