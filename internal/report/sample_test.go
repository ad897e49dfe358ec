package report_test

import (
	"math"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

var noon = time.Date(2026, 3, 4, 12, 3, 10, 0, time.UTC)

const (
	goodImage = "ghcr.io/acme/podinfo:6.0.1"
	oldImage  = "ghcr.io/acme/podinfo:6.0.0"
	hostile   = "evil\r\n::error file=x::pwned\x1b[31m\u202egnp\u200b ##[group]x \u009b2J \xff z\u0301\u0301\u0301\u0301\u0301"
)

func ptr(v float64) *float64 { return &v }

func rate(v float64, verdict rollout.Verdict) rollout.CheckResult {
	c := rollout.CheckResult{Name: "request-success-rate", Verdict: verdict, Value: ptr(v), Min: ptr(99), Unit: "%"}
	if verdict != rollout.Pass {
		c.Query = `sum(rate(http_requests_total{namespace="shop",status!~"5.*"}[1m])) / sum(rate(http_requests_total{namespace="shop"}[1m])) * 100`
		c.Raw = `{"resultType":"vector","result":[{"metric":{},"value":[1772625790,"94.2"]}]}`
	}
	return c
}

func duration(v float64) rollout.CheckResult {
	return rollout.CheckResult{Name: "request-duration", Verdict: rollout.Pass, Value: ptr(v), Max: ptr(500), Unit: "ms"}
}

// at is a healthy rollout in the analysis window of its n-th step of five.
func at(n int) report.Snapshot {
	s := report.Snapshot{
		Canary: "podinfo", Namespace: "shop", Provider: "gatewayapi:v1", Image: goodImage, OldImage: oldImage,
		Spec: rollout.Spec{
			Interval: 10 * time.Second, Threshold: 5, Deadline: 10 * time.Minute,
			Checks: []string{"request-success-rate", "request-duration"},
		},
		Target:  rollout.Workload{Exists: true, Revision: "7d9f8c", Replicas: 2, Ready: true, Serving: true},
		Primary: rollout.Workload{Exists: true, Revision: "5c6b7d", Replicas: 2, Ready: true, Serving: true},
		Route:   rollout.RouteReport{Known: true, Settled: true},
		Now:     noon, WakeAt: noon.Add(10 * time.Second),
	}
	for w := rollout.Weight(10); w <= 50; w += 10 {
		s.Spec.Steps = append(s.Spec.Steps, rollout.Step{Weight: w})
	}
	s.Status = rollout.Status{
		Phase: rollout.Progressing, Revision: "7d9f8c", Promoted: "5c6b7d", Routed: true,
		Step: n, Weight: rollout.Weight(10 * n), Window: noon, Moved: noon,
	}
	s.Route.Route = rollout.Route{Managed: true, Canary: s.Status.Weight}
	start := noon.Add(-time.Duration(n) * 10 * time.Second)
	for i := 0; i <= n; i++ {
		e := rollout.Entry{
			Time: start.Add(time.Duration(i) * 10 * time.Second), Phase: rollout.Progressing,
			Step: i, Steps: 5, Weight: rollout.Weight(10 * i),
		}
		if i > 1 {
			e.Checks = []rollout.CheckResult{rate(99.5+0.1*float64(i%4), rollout.Pass), duration(100 + 15*float64(i))}
			s.Checks = e.Checks
		}
		s.History = append(s.History, e)
	}
	return because(s, rollout.WindowOpen, "")
}

func because(s report.Snapshot, code rollout.Code, detail string) report.Snapshot {
	s.Status.Reason = rollout.Reason{Code: code, Detail: detail}
	s.Reason = s.Status.Reason.String()
	return s
}

// failing is at step three, with n failed checks.
func failing(n int, c rollout.CheckResult) report.Snapshot {
	s := at(3)
	s.Checks = []rollout.CheckResult{c, duration(120)}
	for i := 1; i <= n; i++ {
		s.History = append(s.History, rollout.Entry{
			Time: noon.Add(time.Duration(i) * 10 * time.Second), Phase: rollout.Progressing,
			Step: 3, Steps: 5, Weight: 30, Failed: i, Checks: s.Checks,
		})
	}
	s.Status.Failed = n
	s.Now = noon.Add(time.Duration(n) * 10 * time.Second)
	s.Status.Window, s.Status.Moved, s.WakeAt = s.Now, s.Now, s.Now.Add(10*time.Second)
	code, message := rollout.CheckFailed, c.Message
	if c.Verdict == rollout.Error {
		code = rollout.ChecksUnknown
	}
	if message == "" {
		message = "request-success-rate 94.2% is below 99%"
	}
	return because(s, code, message)
}

func rolledBack() report.Snapshot {
	s := failing(5, rate(94.2, rollout.Fail))
	s.History[len(s.History)-1].Phase = rollout.RollingBack
	s.Status.Phase, s.Status.Weight, s.Outcome = rollout.Failed, 0, rollout.RolledBack
	s.Status.Window, s.WakeAt, s.Route.Canary = time.Time{}, time.Time{}, 0
	return s
}

func promoted() report.Snapshot {
	s := at(5)
	s.Now = noon.Add(12 * time.Second)
	s.History = append(s.History, rollout.Entry{
		Time: noon.Add(10 * time.Second), Phase: rollout.Promoting, Step: 5, Steps: 5, Weight: 50, Checks: s.Checks,
	})
	s.Status.Phase, s.Status.Weight, s.Outcome = rollout.Succeeded, 0, rollout.Promoted
	s.Status.Window, s.WakeAt, s.Route.Canary = time.Time{}, time.Time{}, 0
	s.Target.Replicas = 0
	return because(s, rollout.AllPassed, "")
}

// loaded is promoted, on load that the run has made itself.
func loaded() report.Snapshot {
	s := promoted()
	for step := range 6 {
		l := report.Load{
			Step: step, Webhook: "load", Task: "hey -z 1m -c 4 -q 25 http://podinfo-canary.shop/", Passed: true, Elapsed: 10 * time.Second,
			Requests: 1000, Rate: 100.02, Mean: 6 * time.Millisecond, P50: 4312 * time.Microsecond, P95: 17 * time.Millisecond,
			P99: 31400 * time.Microsecond, Slowest: 1204 * time.Millisecond, Status: map[int]int64{200: 1000},
		}
		switch step {
		case 0:
			l.Webhook, l.Task, l.Elapsed, l.Requests = "warm up", "hey -n 200 http://podinfo-canary.shop/", 2*time.Second, 200
			l.Status = map[int]int64{200: 200}
		case 2: // of gRPC
			l.Task = "ghz -z 1m -r 100 -c 4 --call shop.v1.Cart/Add podinfo-canary.shop:9898"
			l.Status, l.Codes = nil, map[string]int64{"OK": 990, "Internal": 10}
		case 3: // was made twice
			l.Status, l.Unanswered = map[int]int64{200: 980, 503: 12}, 8
			l.Errors = map[string]int64{"connection reset by peer": 7, "timeout": 1}
			s.Loads = append(s.Loads, l)
			l.Status, l.Unanswered, l.Errors = map[int]int64{200: 1000}, 0, nil
			l.Notes = []string{"the answers were not the same: 2 lengths"}
		case 4:
			l = report.Load{
				Step: step, Webhook: "load", Task: l.Task, Message: "no request was answered: connection refused", Elapsed: l.Elapsed,
				Requests: 40, Unanswered: 40, Rate: 4, Errors: map[string]int64{"connection refused": 40},
			}
		}
		s.Loads = append(s.Loads, l)
	}
	return s
}

func initialised() report.Snapshot {
	s := at(0)
	s.Checks, s.History, s.OldImage = nil, nil, ""
	s.Status = rollout.Status{Phase: rollout.Initialized, Revision: "7d9f8c", Promoted: "7d9f8c", Routed: true, Moved: noon}
	s.Outcome, s.WakeAt = rollout.Initialised, time.Time{}
	return because(s, rollout.FirstRunDone, "")
}

func notReady() report.Snapshot {
	s := at(0)
	s.Status.Window = time.Time{}
	s.WakeAt = noon.Add(9*time.Minute + 50*time.Second)
	s.Target.Ready, s.Target.Serving = false, false
	s.Target.Message = `pod "podinfo-7d9f8c-x2x9z": container "podinfo": ImagePullBackOff: image "ghcr.io/acme/podinfo:6.0.1" not found`
	return because(s, rollout.CanaryNotReady, s.Target.Message)
}

func waiting() report.Snapshot {
	s := at(2)
	s.Status.Window, s.WakeAt = time.Time{}, noon.Add(10*time.Minute)
	s.Route.Settled, s.Route.Canary = false, 10
	s.Route.Message = `HTTPRoute "shop/podinfo": parent "public" has not accepted generation 7`
	return because(s, rollout.RouterNotSettled, s.Route.Message)
}

func halted() report.Snapshot {
	s := at(5)
	s.Status.Phase, s.Status.Weight, s.Status.Halted, s.Outcome = rollout.Failed, 100, true, rollout.Halted
	s.Status.Window, s.WakeAt, s.Route.Canary = time.Time{}, time.Time{}, 100
	s.Primary.Ready, s.Primary.Broken = false, true
	s.Primary.Message = `pod "podinfo-primary-5c6b7d-abcde": container "podinfo": CrashLoopBackOff`
	return because(s, rollout.PrimaryBroken, s.Primary.Message)
}

func longNames() report.Snapshot {
	s := failing(2, rollout.CheckResult{
		Name: strings.Repeat("error-budget-burn-rate-", 5) + "5m", Verdict: rollout.NoData, Max: ptr(14.4), Unit: "errors per minute",
		Message: "no data", Query: strings.Repeat("label_replace(", 20) + "up" + strings.Repeat(")", 20),
	})
	s.Canary, s.Namespace = strings.Repeat("checkout-", 12)+"x", strings.Repeat("team-", 10)+"x"
	s.Image = "registry.acme/" + strings.Repeat("deep/", 20) + "checkout@sha256:" + strings.Repeat("0123456789abcdef", 4)
	s.OldImage = "registry.acme/決済サービス/チェックアウト:最新版"
	s.Spec.Checks = append(s.Spec.Checks, "決済エラー率")
	return s
}

func hostileTexts() report.Snapshot {
	c := rollout.CheckResult{
		Name: hostile, Verdict: rollout.Error, Message: hostile, Query: hostile, Raw: "::set-output name=x::y\n" + hostile, Unit: hostile,
		Value: ptr(math.NaN()), Max: ptr(math.Inf(1)),
	}
	s := failing(1, c)
	s.Canary, s.Namespace, s.Provider, s.Image, s.OldImage = hostile, "::warning::", hostile, hostile, "::add-mask::x"
	s.Primary.Message, s.Primary.Ready = hostile, false
	s.Reason = "::stop-commands::x\n" + hostile
	return s
}

func snapshots() map[string]report.Snapshot {
	promoting := at(5)
	promoting.Status.Phase = rollout.Promoting
	promoting.Status.Window = time.Time{}
	promoting.Primary.Ready = false
	manySteps := at(3)
	for w := rollout.Weight(51); w <= 100; w++ {
		manySteps.Spec.Steps = append(manySteps.Spec.Steps, rollout.Step{Weight: w})
	}
	mirrored := at(1)
	mirrored.Spec.Steps, mirrored.Status.Weight = []rollout.Step{{Mirror: 100}, {Mirror: 100}, {Weight: 100, Bare: true}}, 0
	mirrored.Route.Canary = 0
	noData := rate(0, rollout.NoData)
	noData.Value, noData.Message = nil, "no data: the query matched no series"
	unreachable := rate(0, rollout.Error)
	unreachable.Value, unreachable.Message, unreachable.Raw = nil, `query "http://prometheus:9090": connection refused`, ""
	return map[string]report.Snapshot{
		"healthy": at(3), "first-step": at(1), "many-steps": manySteps, "mirrored": mirrored,
		"failed-check": failing(2, rate(94.2, rollout.Fail)), "no-data": failing(1, noData), "error": failing(1, unreachable),
		"rounding":         failing(1, rate(98.999, rollout.Fail)),
		"canary-not-ready": notReady(), "waiting-for-router": waiting(),
		"promoting":   because(promoting, rollout.PrimaryNotReady, "1 of 2 pods run the new revision"),
		"rolled-back": rolledBack(), "promoted": promoted(), "loaded": loaded(), "initialised": initialised(), "halted": halted(),
		"compared": compared(), "long-names": longNames(), "hostile": hostileTexts(), "empty": {},
	}
}

// rehearsed adds to a result what only a rehearsal knows.
func rehearsed(s report.Snapshot) report.Result {
	r := report.Summarise(s)
	if r.Outcome != report.Outcome(rollout.Promoted) {
		r.ExitCode = 1
	}
	r.Traffic = &report.Traffic{}
	for i := range r.Steps {
		n := 500 + 7*i
		t := report.Traffic{Canary: n * int(r.Steps[i].Weight) / 100}
		t.Primary = n - t.Canary
		if r.Steps[i].FailedChecks > 0 {
			t.CanaryErrors = t.Canary / 17
		}
		r.Steps[i].Traffic = &t
		r.Traffic.Primary += t.Primary
		r.Traffic.Canary += t.Canary
		r.Traffic.CanaryErrors += t.CanaryErrors
	}
	r.Users, r.UsersWithErrors = 200, r.Traffic.CanaryErrors
	r.Faults, r.StandIns = []string{"errors=5%@30"}, []string{`Gateway "shop/public"`, `Deployment "shop/podinfo"`}
	return r
}
