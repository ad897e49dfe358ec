package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// folded is the log of a rollout of two steps, with an end or without one.
func folded(t *testing.T, out *bytes.Buffer, to folder, ends bool) string {
	t.Helper()
	p := NewPlain(out)
	p.parts.to = to
	p.Send(liveSnapshot(1))
	failed := liveSnapshot(1)
	failed.Status.Moved, failed.Reason = liveStart.Add(time.Second), "x\n::error::y\r\x1b[0Ksection_end:1:penstock_1\r\x1b[0K##[group]z"
	p.Send(failed)
	p.Send(liveSnapshot(2))
	if ends {
		last := liveSnapshot(2)
		last.Status.Phase, last.Outcome, last.Reason = rollout.Failed, rollout.RolledBack, "a check failed"
		p.Send(last)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestTheLogOfGitHubIsGroupedByStep(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{true, false} {
		var out bytes.Buffer
		text := folded(t, &out, actionsFolder{forge.NewActions(&out, func(string) string { return "" })}, ends)
		var marks []string
		for l := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(l), "::") || strings.Contains(l, "##[") {
				marks = append(marks, strings.TrimSpace(l))
			}
		}
		// The runner reads %25 as %.
		want := []string{"::group::shop/podinfo: step 1/5, 10%25", "::endgroup::", "::group::shop/podinfo: step 2/5, 20%25", "::endgroup::"}
		if diff := cmp.Diff(want, marks); diff != "" {
			t.Errorf("ends %v: -want +got:\n%s", ends, diff)
		}
		if tail := text[strings.LastIndex(text, "::endgroup::"):]; strings.Contains(tail, "ROLLED BACK") != ends {
			t.Errorf("the end is not outside of the groups: %q", tail)
		}
	}
}

func TestTheLogOfGitLabHasSectionsByStep(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sections := forge.NewGitLabSections(&out, testingclock.NewFakePassiveClock(time.Unix(1700000000, 0)))
	text := folded(t, &out, sectionFolder{sections}, false)
	var want []string
	for i := range 2 {
		want = append(want,
			fmt.Sprintf("section_start:1700000000:penstock_%d\r\x1b[0Kshop/podinfo: step %d/5, %d0%%\n", i+1, i+1, i+1),
			fmt.Sprintf("section_end:1700000000:penstock_%d\r\x1b[0K", i+1))
	}
	at := 0
	for _, mark := range want {
		i := strings.Index(text[at:], mark)
		if i < 0 {
			t.Fatalf("%q is missing, or out of order, in %q", mark, text)
		}
		at += i + len(mark)
	}
	if n := strings.Count(text, "\x1b[0K"); n != len(want) {
		t.Errorf("%d marks, want %d: %q", n, len(want), text)
	}
}

func TestAPlainPipeHasNoGroups(t *testing.T) {
	t.Parallel()
	a := App{Getenv: func(string) string { return "" }}
	to := a.folder(testingclock.NewFakePassiveClock(liveStart))
	var out bytes.Buffer
	if text := folded(t, &out, to, true); to != nil || strings.Contains(text, "group") && !strings.Contains(text, "[group]z") {
		t.Errorf("%q", text)
	}
}
