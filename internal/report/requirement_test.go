package report_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestRequirementsTellWhatToDo(t *testing.T) {
	t.Parallel()
	value := 99.97
	all := []report.Requirement{
		{Canary: "shop/web", Kind: "permission", Name: "patch services\x1b[2J", Met: report.MetNo, Found: "not granted", Fix: "grant it\n::error::x"},
		{Canary: "shop/web", Kind: "permission", Name: "get services", Met: report.MetNo, Found: "not granted", Fix: "grant it\n::error::x"},
		{Canary: "shop/web", Kind: "object", Name: "target", Met: report.MetYes, Fix: "never said"},
		{Canary: "shop/web", Kind: "hook", Name: "nobody knows"},
		report.CheckRequirement("shop/web", rollout.CheckResult{Name: "rate", Verdict: rollout.Pass, Value: &value, Unit: "%"}),
		report.CheckRequirement("shop/web", rollout.CheckResult{Name: "idle", Verdict: rollout.Pass}),
		report.CheckRequirement("shop/web", rollout.CheckResult{Name: "typo", Verdict: rollout.NoData, Message: "the metric htpp_requests does not exist"}),
		report.CheckRequirement("shop/web", rollout.CheckResult{Name: "down", Verdict: rollout.Error, Message: "connection refused"}),
	}
	golden(t, "requirements", report.RenderRequirements(all))
	if missing, unknown := report.Unmet(all); missing != 3 || unknown != 2 {
		t.Errorf("%d missing and %d unknown, want 3 and 2: what is not known is not met", missing, unknown)
	}
}
