package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

type fakeCommitStatus struct {
	State       string `json:"state"`
	Description string `json:"description"`
	Context     string `json:"context"`
	TargetURL   string `json:"target_url"`
}

func (f *fakeGitHub) createCommitStatus(w http.ResponseWriter, r *http.Request) {
	s, sha := &fakeCommitStatus{}, r.PathValue("sha")
	err := json.NewDecoder(r.Body).Decode(s)
	switch {
	case err != nil, !slices.Contains([]string{"error", "failure", "pending", "success"}, s.State),
		tooLong(s.Description, 140), tooLong(s.Context, 255), len(f.statuses[sha]) >= 1000:
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
	default:
		f.statuses[sha] = append(f.statuses[sha], s)
		answer(w, http.StatusCreated, s)
	}
}

func TestATokenOfAPersonWritesACommitStatusInsteadOfACheckRun(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.person = true
	s := f.start(f.config()).Surfaces(web())[:1]
	mustShow(t, s, body("a"))
	mustShow(t, s, body("a"))
	mustShow(t, s, Page{Title: strings.Repeat("ü ", 200)})
	mustShow(t, s, end(Success))
	got := f.statuses[headSHA]
	if len(got) != 3 || got[0].State != "pending" || got[0].Description != "title of a" {
		t.Fatalf("%d statuses, the first %+v", len(got), got[0])
	}
	want := fakeCommitStatus{State: "success", Description: "the end", Context: "canary/shop/web", TargetURL: "https://github.test/o/r/actions/runs/99"}
	if *got[2] != want {
		t.Errorf("%+v, want %+v", *got[2], want)
	}
	if n := f.count("POST /repos/o/r/check-runs"); n != 1 || s[0].Name() != "commit status" {
		t.Errorf("%d tries to create a check run, name %q", n, s[0].Name())
	}
}

func TestATokenOfAPersonWithoutTheRightIsToldWhichOneItNeeds(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.person = true
	delete(f.grant, "statuses")
	err := f.start(f.config()).Surfaces(web())[0].Show(t.Context(), body("a"))
	var disabled *DisabledError
	if !errors.As(err, &disabled) || disabled.Surface != "commit status" || disabled.Need != "the permission `statuses: write`" {
		t.Error(err)
	}
}

func TestTheStatesOfACommitStatus(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]string{Success: "success", Neutral: "success", Failure: "failure", TimedOut: "failure",
		Error: "error", Cancelled: "error", InProgress: "error", Queued: "error", ActionRequired: "pending", State(99): "error"} {
		if got := statusState(end(state)); got != want {
			t.Errorf("%v: %s, want %s", state, got, want)
		}
		if got := statusState(Page{State: state}); got != "pending" {
			t.Errorf("%v, not final: %s", state, got)
		}
	}
}

func TestTheEndHasRoomLeftAfterAVeryLongRollout(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.person = true
	s := f.start(f.config()).Surfaces(web())[:1]
	for i := range 1100 {
		mustShow(t, s, body(fmt.Sprint(i)))
	}
	mustShow(t, s, end(Failure))
	got := f.statuses[headSHA]
	if len(got) != statusLimit+1 || got[statusLimit].State != "failure" {
		t.Errorf("%d statuses, the last %+v", len(got), got[len(got)-1])
	}
}
