package report_test

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestGoldenPlan(t *testing.T) {
	t.Parallel()
	s := at(0)
	begins := rollout.Decision{Reason: rollout.Reason{Code: rollout.NewRevision}}
	stepped, mirrored, skipped := s.Spec, s.Spec, s.Spec
	stepped.Promotion = []rollout.Weight{30, 10}
	mirrored.Steps = []rollout.Step{{Mirror: 100}, {Mirror: 100}, {Weight: 100, Bare: true}}
	mirrored.Checks, mirrored.Interval = nil, time.Minute
	skipped.Skip = true
	golden(t, "plan.steps", report.Plan(s, s.Spec, begins))
	golden(t, "plan.promotion", report.Plan(s, stepped, begins))
	golden(t, "plan.mirror", report.Plan(s, mirrored, begins))
	golden(t, "plan.skip", report.Plan(s, skipped, begins))
	golden(t, "plan.nothing", report.Plan(s, s.Spec, rollout.Decision{
		Outcome: rollout.Unchanged, Reason: rollout.Reason{Code: rollout.NothingNew},
	}))
	s.Canary, s.Image = hostile, hostile
	golden(t, "plan.hostile", report.Plan(s, s.Spec, rollout.Decision{Reason: rollout.Reason{Detail: hostile}}))
}
