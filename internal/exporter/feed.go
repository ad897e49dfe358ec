package exporter

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// Subject says whose metrics they are.
type Subject struct {
	Namespace string
	Target    string // name of the target, which Flagger's metrics have as their name and workload
	Provider  string // the router, such as "gatewayapi:v1"
}

// The values of flagger_canary_status.
const (
	running    = 0
	successful = 1
	failed     = 2
)

// Feed keeps the metrics of one rollout. It is a runner.Reporter.
type Feed struct {
	subject  Subject
	registry *prometheus.Registry

	status    *prometheus.GaugeVec
	weight    *prometheus.GaugeVec
	duration  *prometheus.HistogramVec
	analysis  *prometheus.GaugeVec
	successes *prometheus.CounterVec
	failures  *prometheus.CounterVec

	last report.Snapshot // the one before; used by Report alone
}

func newFeed(s Subject) *Feed {
	f := &Feed{subject: s, registry: prometheus.NewRegistry()}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
			[]string{"name", "namespace", "deployment_strategy", "analysis_status"})
	}
	f.status = gauge("flagger_canary_status", "Where the rollout is: 0 running, 1 successful, 2 failed.", "name", "namespace")
	f.weight = gauge("flagger_canary_weight", "Share of the traffic in percent that the workload gets.", "workload", "namespace")
	f.analysis = gauge("flagger_canary_metric_analysis", "Last value of each check of the analysis.", "name", "namespace", "metric")
	f.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "flagger_canary_duration_seconds", Buckets: prometheus.DefBuckets,
		Help: "Seconds from the end of an analysis window until all of its checks were answered.",
	}, []string{"name", "namespace"})
	f.successes = counter("flagger_canary_successes_total", "Number of revisions that were promoted.")
	f.failures = counter("flagger_canary_failures_total", "Number of revisions that were rejected.")
	f.registry.MustRegister(f.status, f.weight, f.duration, f.analysis, f.successes, f.failures)
	return f
}

// Report takes over a decision. Only one goroutine may call it.
func (f *Feed) Report(_ context.Context, u runner.Update) {
	s, last := &u.Snapshot, &f.last
	name, namespace := f.subject.Target, f.subject.Namespace
	if value, known := statusValue(s); known {
		f.status.WithLabelValues(name, namespace).Set(value)
	}
	if s.Status.Routed || s.Route.Managed {
		w := weight(s)
		f.weight.WithLabelValues(name, namespace).Set(float64(w))
		f.weight.WithLabelValues(name+"-primary", namespace).Set(float64(100 - w))
	}
	if took, judged := judgement(last, s); judged {
		f.duration.WithLabelValues(name, namespace).Observe(took.Seconds())
		for i := range s.Checks {
			if c := &s.Checks[i]; c.Value != nil {
				f.analysis.WithLabelValues(name, namespace, c.Name).Set(value(c))
			}
		}
	}
	if s.Outcome != last.Outcome {
		f.count(s)
	}
	f.last = *s
}

// count counts how a revision ended. A run that was cancelled or superseded says nothing about its revision.
func (f *Feed) count(s *report.Snapshot) {
	counter := f.successes
	switch s.Outcome {
	case rollout.Promoted:
	case rollout.RolledBack, rollout.Halted:
		counter = f.failures
	case rollout.Running, rollout.Initialised, rollout.Unchanged, rollout.Suspended, rollout.Superseded, rollout.Cancelled,
		rollout.Gated, rollout.Uninstalled:
		return
	}
	analysed := "completed"
	if s.Spec.Skip {
		analysed = "skipped"
	}
	counter.WithLabelValues(f.subject.Target, f.subject.Namespace, strategy(&s.Spec), analysed).Inc()
}

// statusValue is unknown until the canary has a phase.
func statusValue(s *report.Snapshot) (float64, bool) {
	switch s.Status.Phase {
	case "":
		return 0, false
	case rollout.Initialized, rollout.Succeeded, rollout.Terminated:
		return successful, true
	case rollout.Failed:
		return failed, true
	case rollout.Initializing, rollout.Waiting, rollout.Progressing, rollout.WaitingPromotion, rollout.Promoting,
		rollout.Finalising, rollout.RollingBack, rollout.Terminating:
	}
	return running, true
}

// weight is the canary's share as the router's objects have it, or as it is wanted when they cannot be read.
func weight(s *report.Snapshot) rollout.Weight {
	if s.Route.Known && s.Route.Managed {
		return s.Route.Canary
	}
	return s.Status.Weight
}

// value is a check's value in the unit that Flagger exports: durations in seconds.
func value(c *rollout.CheckResult) float64 {
	if c.Unit == "ms" {
		return *c.Value / 1000
	}
	return *c.Value
}

// judgement is how long after the end of its window a step was judged. The first look at the checks, before any traffic,
// judges nothing.
func judgement(before, now *report.Snapshot) (time.Duration, bool) {
	if len(now.Checks) == 0 || before.Status.Step == 0 || before.Status.Window.IsZero() {
		return 0, false
	}
	return max(0, now.Now.Sub(before.Status.Window.Add(before.Spec.Interval))), true
}

// strategy is Flagger's word for what the steps are.
func strategy(spec *rollout.Spec) string {
	for _, step := range spec.Steps {
		switch {
		case step.Match:
			return "ab-testing"
		case step.Bare:
			return "blue-green"
		}
	}
	return "canary"
}
