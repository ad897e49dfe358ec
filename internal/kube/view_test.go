package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestEveryPhaseIsShownAsFlaggerShowsIt(t *testing.T) {
	t.Parallel()
	since := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[rollout.Phase]struct {
		phase    string
		promoted metav1.ConditionStatus
		message  string
		last     string // lastPromotedSpec, when revision v2 is analysed against v1
	}{
		rollout.Initializing:     {"Initializing", "Unknown", "New Deployment podinfo detected, initializing.", "v1"},
		rollout.Initialized:      {"Initialized", "True", "Deployment podinfo initialization completed.", "v1"},
		rollout.Waiting:          {"Waiting", "Unknown", "New revision detected, progressing canary analysis.", "v1"},
		rollout.Progressing:      {"Progressing", "Unknown", "New revision detected, progressing canary analysis.", "v1"},
		rollout.WaitingPromotion: {"WaitingPromotion", "Unknown", "Waiting for approval.", "v1"},
		rollout.Promoting:        {"Promoting", "Unknown", "Canary analysis completed, starting primary rolling update.", "v1"},
		rollout.Finalising:       {"Finalising", "Unknown", "Canary analysis completed, routing all traffic to primary.", "v1"},
		rollout.RollingBack:      {"Progressing", "Unknown", "New revision detected, progressing canary analysis.", "v1"},
		rollout.Succeeded:        {"Succeeded", "True", "Canary analysis completed successfully, promotion finished.", "v1"},
		rollout.Failed:           {"Failed", "False", "Canary analysis failed, Deployment podinfo scaled to zero. a check failed: too slow", "v1"},
		rollout.Terminating:      {"Terminating", "Unknown", "", "v1"},
		rollout.Terminated:       {"Terminated", "Unknown", "", "v1"},
	}
	for phase, want := range tests {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			st := rollout.Status{
				Phase: phase, Revision: "v2", Promoted: "v1", Routed: true, Step: 2, Weight: 20, Failed: 1, Since: since,
				Reason: rollout.Reason{Code: rollout.CheckFailed, Detail: "too slow"},
			}
			spec := &rollout.Spec{Steps: []rollout.Step{{Weight: 10}, {Weight: 20}}}
			at := metav1.NewTime(since)
			wanted := canary.Status{
				Phase: want.phase, FailedChecks: 1, CanaryWeight: 20, LastAppliedSpec: "v2", LastPromotedSpec: want.last, LastTransitionTime: at,
				Conditions: []canary.Condition{{
					Type: "Promoted", Status: want.promoted, Reason: want.phase, Message: want.message,
					LastUpdateTime: at, LastTransitionTime: at,
				}},
			}
			if diff := cmp.Diff(wanted, Status(spec, &st, ofPodinfo())); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFirstRevisionIsNotShownAsPromotedBeforeItIs(t *testing.T) {
	t.Parallel()
	spec := &rollout.Spec{}
	for phase, want := range map[rollout.Phase]string{rollout.Initializing: "", rollout.Promoting: "", rollout.Initialized: "v1", rollout.Succeeded: "v1"} {
		st := rollout.Status{Phase: phase, Revision: "v1", Promoted: "v1"}
		if got := Status(spec, &st, ofPodinfo()).LastPromotedSpec; got != want {
			t.Errorf("%s: lastPromotedSpec %q, want %q", phase, got, want)
		}
	}
}

// ofPodinfo is a canary whose users are kept on their side by cookies.
func ofPodinfo() *canary.Canary {
	return &canary.Canary{Spec: canary.Spec{
		TargetRef: canary.ObjectRef{Kind: "Deployment", Name: "podinfo"},
		Analysis:  &canary.Analysis{SessionAffinity: &canary.SessionAffinity{CookieName: "seen", PrimaryCookieName: "stays"}},
	}}
}

func TestWhatIsNotScaledDownIsNotSaidToBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		st   rollout.Status
		want string
	}{
		"a promotion": {
			rollout.Status{Halted: true, Routed: true, Promoted: "v2"},
			"Canary promotion failed, Deployment podinfo not scaled down. the primary cannot become ready: pod x",
		},
		"an analysis": {
			rollout.Status{Halted: true, Routed: true, Promoted: "v1"},
			"Canary analysis failed, Deployment podinfo not scaled down. the primary cannot become ready: pod x",
		},
		"a first run": {
			rollout.Status{Promoted: "v2"}, "Deployment podinfo initialization failed, not scaled down. the primary cannot become ready: pod x",
		},
	} {
		st := c.st
		st.Phase, st.Revision, st.Reason = rollout.Failed, "v2", rollout.Reason{Code: rollout.PrimaryBroken, Detail: "pod x"}
		if got := Status(&rollout.Spec{}, &st, ofPodinfo()).Conditions[0].Message; got != c.want {
			t.Errorf("%s: it says %q, want %q", name, got, c.want)
		}
	}
}

func TestTheCookiesOfARolloutAreShown(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		f.createCanary()
		f.canary.Spec.Analysis.SessionAffinity = ofPodinfo().Spec.Analysis.SessionAffinity
		v := f.view()
		for _, c := range []struct {
			st   rollout.Status
			want [3]any // the canary's cookie, the primary's, the one that is taken back
		}{
			{rollout.Status{Phase: rollout.Progressing, Session: "b", Previous: "a"}, [3]any{nil, nil, "seen=a"}}, // nobody has been there
			{rollout.Status{Phase: rollout.Progressing, Weight: 20, Session: "b", Previous: "a"}, [3]any{"seen=b", "stays=b", "seen=a"}},
			{rollout.Status{Phase: rollout.Succeeded, Session: "b", Previous: "a"}, [3]any{nil, nil, "seen=b"}},
			{rollout.Status{Phase: rollout.Initialized}, [3]any{nil, nil, nil}},
		} {
			if err := v.Write(f.ctx, Status(&rollout.Spec{}, &c.st, f.canary)); err != nil {
				t.Fatal(err)
			}
			status := f.get(canaryGVR, "podinfo").Object["status"].(map[string]any)
			got := [3]any{status["sessionAffinityCookie"], status["primarySessionAffinityCookie"], status["previousSessionAffinityCookie"]}
			if got != c.want {
				t.Errorf("%s with %d %%: the status shows %v, want %v", c.st.Phase, c.st.Weight, got, c.want)
			}
		}
	})
}

func TestIterationsAreCounted(t *testing.T) {
	t.Parallel()
	spec := &rollout.Spec{Steps: []rollout.Step{{}, {}, {Weight: 100, Bare: true}}}
	for step, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3} {
		st := rollout.Status{Phase: rollout.Progressing, Step: step}
		if got := Status(spec, &st, ofPodinfo()).Iterations; got != want {
			t.Errorf("step %d: %d iterations, want %d", step, got, want)
		}
	}
}

func (f *fixture) createCanary() {
	f.t.Helper()
	f.create(strings.Replace(canaryYAML, ", uid: 7a1d", "", 1))
}

func (f *fixture) view() *View {
	f.t.Helper()
	v, err := FindView(f.ctx, f.client, f.canary)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func TestTheStatusIsWrittenWhenItChangesAndOnlyThen(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		f.createCanary()
		v := f.view()
		if f.canary.UID == "7a1d" || f.canary.UID == "" {
			t.Errorf("the UID is %q, not the live object's", f.canary.UID)
		}
		write := func(st rollout.Status) {
			t.Helper()
			if err := v.Write(f.ctx, Status(&rollout.Spec{}, &st, ofPodinfo())); err != nil {
				t.Fatal(err)
			}
		}
		shown := func(field string) any {
			t.Helper()
			value, _, _ := unstructured.NestedFieldNoCopy(f.get(canaryGVR, "podinfo").Object, "status", field)
			return value
		}
		write(rollout.Status{Phase: rollout.Progressing, Weight: 20, Failed: 1, Revision: "v2", Promoted: "v1"})
		if shown("phase") != "Progressing" || shown("canaryWeight") != int64(20) || shown("failedChecks") != int64(1) {
			t.Errorf("status %v", f.get(canaryGVR, "podinfo").Object["status"])
		}
		before := f.requests()
		write(rollout.Status{Phase: rollout.Progressing, Weight: 20, Failed: 1, Revision: "v2", Promoted: "v1"})
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("requests for the same status: %v", made)
		}
		write(rollout.Status{Phase: rollout.Failed, Revision: "v2", Promoted: "v1"})
		if shown("phase") != "Failed" || shown("canaryWeight") != int64(0) || shown("failedChecks") != int64(0) {
			t.Errorf("what went back to zero: %v", f.get(canaryGVR, "podinfo").Object["status"])
		}
		if diff := cmp.Diff(map[string]int{"patch canaries/status": 1}, f.sent(before)); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

// A rollback begins in a phase that people do not see: what they see has not changed, whoever shows it.
func TestTheTimeOfATransitionMovesWithWhatIsShown(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		f.createCanary()
		begun := time.Unix(1_764_000_000, 0).UTC()
		write := func(v *View, st rollout.Status, want time.Time) {
			t.Helper()
			if err := v.Write(f.ctx, Status(&rollout.Spec{}, &st, ofPodinfo())); err != nil {
				t.Fatal(err)
			}
			live := f.get(canaryGVR, "podinfo").Object
			moved, _, _ := unstructured.NestedString(live, "status", "lastTransitionTime")
			conditions, _, _ := unstructured.NestedSlice(live, "status", "conditions")
			condition := conditions[0].(map[string]any)["lastTransitionTime"]
			if said := want.Format(time.RFC3339); moved != said || condition != said {
				t.Errorf("%s: status %q, condition %q, want %q", st.Phase, moved, condition, said)
			}
		}
		v := f.view()
		st := rollout.Status{Phase: rollout.Progressing, Since: begun, Weight: 20, Revision: "v2", Promoted: "v1"}
		write(v, st, begun)
		st.Phase, st.Since, st.Weight = rollout.RollingBack, begun.Add(time.Minute), 0
		write(v, st, begun)
		st.Since = begun.Add(2 * time.Minute)
		write(f.view(), st, begun) // of another process
		st.Phase = rollout.Failed
		write(v, st, st.Since)
		st.Phase, st.Since = rollout.Progressing, begun.Add(time.Hour)
		write(v, st, st.Since)
		st.Revision, st.Since = "v3", begun.Add(2*time.Hour)
		write(v, st, st.Since)
	})
}

func TestAStatusThatCouldNotBeWrittenIsWrittenWithTheNext(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		f.createCanary()
		v := f.view()
		s := Status(&rollout.Spec{}, &rollout.Status{Phase: rollout.Promoting}, ofPodinfo())
		for _, fault := range []rehearsal.APIFault{rehearsal.FaultInternal("etcd is away"), {Hang: true}} {
			f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return fault })
			start := time.Now()
			if err := v.Write(f.ctx, s); err == nil || !strings.Contains(err.Error(), `write the status of Canary "shop/podinfo"`) {
				t.Errorf("status: %v", err)
			}
			if err := v.Event(f.ctx, time.Now(), rollout.Event{Message: "x"}); err == nil || !strings.Contains(err.Error(), "write an event of") {
				t.Errorf("event: %v", err)
			}
			if took := time.Since(start); took > 2*viewTimeout {
				t.Errorf("what only informs took %s", took)
			}
		}
		f.api.Intercept(nil)
		if err := v.Write(f.ctx, s); err != nil {
			t.Error(err)
		}
		if phase, _, _ := unstructured.NestedString(f.get(canaryGVR, "podinfo").Object, "status", "phase"); phase != "Promoting" {
			t.Errorf("phase %q", phase)
		}
	})
}

func TestEventsAreAboutTheCanary(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		f.createCanary()
		v := f.view()
		now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
		for _, e := range []rollout.Event{{Message: "Advance canary weight 10"}, {Message: "Canary failed! Scaling down", Warning: true}} {
			if err := v.Event(f.ctx, now, e); err != nil {
				t.Fatal(err)
			}
		}
		got := map[any]any{}
		for _, e := range f.api.List(eventGVR, "shop", nil) {
			got[e.Object["message"]] = e.Object["type"]
			about, _, _ := unstructured.NestedString(e.Object, "involvedObject", "uid")
			if about != string(f.canary.UID) || e.Object["reason"] != "Synced" || e.Object["firstTimestamp"] != "2030-01-02T03:04:05Z" {
				t.Errorf("event %v", e.Object)
			}
		}
		if diff := cmp.Diff(map[any]any{"Advance canary weight 10": "Normal", "Canary failed! Scaling down": "Warning"}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestWithoutTheCRDOrTheObjectThereIsNoView(t *testing.T) {
	none := func(f *fixture) {
		v := f.view()
		if v != nil {
			f.t.Errorf("view %+v", v)
		}
		if err := errors.Join(v.Write(f.ctx, canary.Status{Phase: "Failed"}), v.Event(f.ctx, time.Now(), rollout.Event{})); err != nil {
			f.t.Error(err)
		}
	}
	t.Run("no CRD", func(t *testing.T) { inCluster(t, none) })
	t.Run("no object", func(t *testing.T) { withFlagger(t, none) })
	t.Run("no permission", func(t *testing.T) {
		withFlagger(t, func(f *fixture) {
			f.createCanary()
			f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource == canaryGVR })
			none(f)
		})
	})
}

func TestACanaryThatFlaggerDrivesIsRefused(t *testing.T) {
	drive := func(f *fixture) {
		f.t.Helper()
		f.createCanary()
		live := f.get(canaryGVR, "podinfo")
		live.Object["status"] = map[string]any{"phase": "Progressing"}
		if _, err := f.api.UpdateStatus(live, "flagger"); err != nil {
			f.t.Fatal(err)
		}
	}
	t.Run("while it is at work", func(t *testing.T) {
		withFlagger(t, func(f *fixture) {
			drive(f)
			v, err := FindView(f.ctx, f.client, f.canary)
			if v != nil || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "set spec.suspend: true") {
				t.Errorf("%v, %v", v, err)
			}
		})
	})
	t.Run("not when it is suspended", func(t *testing.T) {
		withFlagger(t, func(f *fixture) {
			drive(f)
			f.edit(canaryGVR, "podinfo", func(o map[string]any) { _ = unstructured.SetNestedField(o, true, "spec", "suspend") })
			if f.view() == nil {
				t.Error("no view")
			}
		})
	})
	t.Run("an unreachable cluster is another thing", func(t *testing.T) {
		withFlagger(t, func(f *fixture) {
			f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
			start := time.Now()
			_, err := FindView(f.ctx, f.client, f.canary)
			if err == nil || errors.Is(err, ErrRefused) || time.Since(start) > requestTimeout {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		})
	})
}
