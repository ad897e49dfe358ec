package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/exporter"
	"github.com/penstock-dev/penstock/internal/runner"
)

// metricsInputs say who gets the metrics of a run.
type metricsInputs struct {
	MetricsAddress string `input:"metrics-address" help:"address such as :8080 on which /metrics and /healthz are served while the run lasts; the metrics have Flagger's names"`
	Pushgateway    string `input:"pushgateway" help:"URL of a Pushgateway that gets the same metrics at every step and at the end"`
}

// metrics are the metrics of a run. Without inputs it does nothing.
type metrics struct {
	app      *App
	exporter *exporter.Exporter
	gateway  *exporter.Gateway
	stop     func()
	said     sync.Once
}

// openMetrics claims the address and reads that of the Pushgateway, before a run touches anything. Close it.
func (a *App) openMetrics(ctx context.Context, in metricsInputs) (*metrics, error) {
	m := &metrics{app: a, stop: func() {}}
	var problems []error
	if in.Pushgateway != "" {
		gateway, err := exporter.ParseGateway(in.Pushgateway, a.Version)
		if err != nil {
			problems = append(problems, fmt.Errorf("pushgateway: %w", err))
		}
		m.gateway = gateway
	}
	if in.MetricsAddress != "" {
		listener, err := exporter.Listen(ctx, in.MetricsAddress)
		if err != nil {
			problems = append(problems, fmt.Errorf("metrics-address: %w", err))
		} else {
			m.exporter = exporter.New(a.Version)
			m.stop = m.exporter.Serve(ctx, listener)
		}
	}
	if err := errors.Join(problems...); err != nil {
		m.close()
		return nil, badInput(err)
	}
	return m, nil
}

// reporters are those that keep the metrics of one canary.
func (m *metrics) reporters(c *canary.Canary) []runner.Reporter {
	subject := exporter.Subject{Namespace: c.Namespace, Target: c.Spec.TargetRef.Name, Provider: c.Spec.Provider}
	var all []runner.Reporter
	if m.exporter != nil {
		all = append(all, m.exporter.Add(subject))
	}
	if m.gateway != nil {
		all = append(all, m.gateway.Pusher(subject, m.notPushed))
	}
	return all
}

// notPushed says once that the Pushgateway is in trouble. The rollout goes on.
func (m *metrics) notPushed(err error) {
	m.said.Do(func() { fmt.Fprintf(m.app.Stderr, "penstock: the Pushgateway did not take the metrics: %v\n", err) })
}

func (m *metrics) close() {
	m.stop()
	if m.gateway != nil {
		m.gateway.Close()
	}
}
