package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

var liveStart = time.Date(2026, 3, 4, 12, 3, 10, 0, time.UTC)

func liveSnapshot(step int) report.Snapshot {
	return report.Snapshot{
		Canary: "podinfo", Namespace: "shop",
		Spec: rollout.Spec{Steps: make([]rollout.Step, 5), Interval: 10 * time.Second},
		Status: rollout.Status{
			Phase: rollout.Progressing, Step: step, Weight: rollout.Weight(10 * step), Window: liveStart, Moved: liveStart,
		},
		Reason: "analysing", Now: liveStart, WakeAt: liveStart.Add(10 * time.Second),
	}
}

func still() time.Time { return liveStart }

func TestPlainWritesOneLinePerDecision(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewPlain(&out)
	for _, step := range []int{1, 1, 2} {
		p.Send(liveSnapshot(step))
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	want := "12:03:10 shop/podinfo  Progressing  step 1/5  10%  analysing  next in 10s\n" +
		"12:03:10 shop/podinfo  Progressing  step 2/5  20%  analysing  next in 10s\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A frame that is drawn before there is a snapshot sets the terminal up like every other.
func TestTheEmptyFrameAsksTheTerminalForNothing(t *testing.T) {
	t.Parallel()
	empty := liveModel{look: report.Look{Width: 60, Height: 24}, now: still}.View()
	if !empty.DisableBracketedPasteMode || empty.Cursor == nil || empty.Content != "" {
		t.Errorf("got %+v", empty)
	}
}

func TestLiveLeavesItsLastFrameAndTheCursor(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := NewLive(&out, report.Look{Width: 60, Height: 24}, still)
	l.Send(liveSnapshot(1))
	l.Send(liveSnapshot(2))
	last := liveSnapshot(3)
	last.Reason = "JUDGED" // no letter in the place where it was: only what differs is drawn
	l.Send(last)
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text := out.String()
	const hidden, shown, otherScreen, paste, query = "\x1b[?25l", "\x1b[?25h", "\x1b[?1049h", "\x1b[?2004h", "\x1b[?u"
	if !strings.Contains(text, "JUDGED") {
		t.Errorf("the last snapshot is not in %q", text)
	}
	if strings.LastIndex(text, hidden) > strings.LastIndex(text, shown) {
		t.Errorf("the cursor stays hidden: %q", text)
	}
	for _, unwanted := range []string{otherScreen, paste, query} {
		if strings.Contains(text, unwanted) {
			t.Errorf("%q is in %q", unwanted, text)
		}
	}
	l.Send(liveSnapshot(4)) // after the end: a line, not a frame
	if !strings.HasSuffix(out.String(), "step 4/5  40%  analysing  next in 10s\n") {
		t.Errorf("no line for a snapshot after the end: %q", out.String())
	}
}

func TestLiveGivesTheCursorBackWhenDrawingPanics(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := NewLive(&out, report.Look{Width: 60, Height: 24}, func() time.Time { panic("no clock") })
	l.Send(liveSnapshot(1))
	<-l.done
	if err := l.Close(); !errors.Is(err, tea.ErrProgramPanic) {
		t.Errorf("Close: %v", err)
	}
	if text := out.String(); strings.LastIndex(text, "\x1b[?25l") > strings.LastIndex(text, "\x1b[?25h") {
		t.Errorf("the cursor stays hidden: %q", text)
	}
	l.Send(liveSnapshot(2))
	if !strings.Contains(out.String(), "step 2/5  20%") {
		t.Errorf("no line for a snapshot after the panic: %q", out.String())
	}
}

func TestTheFrameCountsDownAndFollowsTheWindow(t *testing.T) {
	t.Parallel()
	now := liveStart
	var m tea.Model = liveModel{look: report.Look{Width: 80}, now: func() time.Time { return now }}
	show := func(msg tea.Msg) string {
		m, _ = m.Update(msg)
		return m.View().Content
	}
	if text := show(tickMsg{}); text != "" {
		t.Errorf("drawn before anything is known: %q", text)
	}
	if text := show(snapshotMsg(liveSnapshot(1))); !strings.Contains(text, "next in 10s") {
		t.Errorf("no countdown in\n%s", text)
	}
	now = liveStart.Add(7 * time.Second)
	if text := show(tickMsg{}); !strings.Contains(text, "next in 3s") {
		t.Errorf("no countdown in\n%s", text)
	}
	wide := strings.Count(show(tea.WindowSizeMsg{Width: 120, Height: 40}), "█")
	if narrow := strings.Count(show(tea.WindowSizeMsg{Width: 50, Height: 40}), "█"); narrow >= wide {
		t.Errorf("the bar has %d cells in a narrow window and %d in a wide one", narrow, wide)
	}
}

func TestScreenOf(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := []struct {
		name  string
		env   map[string]string
		ascii bool
	}{
		{"a file is never live", map[string]string{"TERM": "xterm-256color"}, false},
		{"a locale of bytes gets ASCII", map[string]string{"LANG": "en_US.ISO-8859-1"}, true},
		{"the C locale gets ASCII", map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, true},
		{"any UTF-8 locale gets everything", map[string]string{"LANG": "C", "LC_CTYPE": "C.utf8"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := Screen{Look: report.Look{Width: logWidth, ASCII: test.ascii}}
			if diff := cmp.Diff(want, ScreenOf(file, func(k string) string { return test.env[k] })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
