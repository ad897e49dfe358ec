package rollout

import (
	"testing"
	"time"
)

func TestAResumptionIsTakenUpByOne(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	first, step := Resumption{}.Take("run-1/3", "g-1", now)
	if step != StartIt || first.State != Asked || first.Starts != 1 {
		t.Fatalf("%+v %v", first, step)
	}
	for name, tt := range map[string]struct {
		was  Resumption
		of   string
		gate string
		at   time.Duration
		want ResumptionStep
	}{
		"another one, at the same time":              {first, "run-1/3", "g-1", time.Second, LeaveIt},
		"another one, when the first has not ended":  {first, "run-1/3", "g-1", ResumptionPatience, LookFirst},
		"what was started":                           {first.Settle("run-1/3", Called, ""), "run-1/3", "g-1", time.Hour, LeaveIt},
		"what was given up":                          {first.Settle("run-1/3", GaveUp, "x"), "run-1/3", "g-1", time.Hour, LeaveIt},
		"what was let go, since nothing was started": {first.Settle("run-1/3", "", ""), "run-1/3", "g-1", time.Second, StartIt},
		"suspended once more at the same gate":       {first.Settle("run-1/3", Called, ""), "run-2/4", "g-1", time.Second, StartIt},
		"too often at the same gate":                 {Resumption{Rollout: "run-3/5", Gate: "g-1", State: Called, Starts: mostStarts}, "run-4/6", "g-1", 0, TellIt},
		"that often, and now at another gate":        {Resumption{Rollout: "run-3/5", Gate: "g-1", State: Called, Starts: mostStarts}, "run-4/6", "g-2", 0, StartIt},
		"after it was said that nobody starts any":   {Resumption{Rollout: "run-4/6", Gate: "g-1", State: GaveUp, Starts: mostStarts}, "run-4/6", "g-1", time.Hour, LeaveIt},
	} {
		next, step := tt.was.Take(tt.of, tt.gate, now.Add(tt.at))
		if step != tt.want || step == LeaveIt && next != tt.was {
			t.Errorf("%s: step %v, want %v; %+v", name, step, tt.want, next)
		}
	}
	for name, tt := range map[string]struct {
		of   string
		was  Resumption
		at   time.Duration
		want time.Duration
	}{
		"at work":            {"run-1/3", first, 20 * time.Second, 40 * time.Second},
		"for too long":       {"run-1/3", first, time.Hour, 0},
		"another suspension": {"run-2/4", first, 0, 0},
		"settled":            {"run-1/3", first.Settle("run-1/3", Called, ""), 0, 0},
	} {
		if left := tt.was.Left(tt.of, now.Add(tt.at)); left != tt.want {
			t.Errorf("%s: %s left, want %s", name, left, tt.want)
		}
	}
	if late := first.Settle("run-2/4", Called, ""); late != first {
		t.Errorf("what is about another suspension is settled: %+v", late)
	}
}

func TestOnlyARolloutThatStandsStillHasASuspension(t *testing.T) {
	t.Parallel()
	r := Record{ID: "run-1", Epoch: 3, Status: Status{Phase: WaitingPromotion}}
	if got := r.Suspension(); got != "" {
		t.Errorf("at work: %q", got)
	}
	r.Status.Suspended = time.Now()
	if got := r.Suspension(); got != "run-1/3" {
		t.Errorf("suspended: %q", got)
	}
	if r.Status.Phase = Failed; r.Suspension() != "" {
		t.Error("over, and still suspended")
	}
}
