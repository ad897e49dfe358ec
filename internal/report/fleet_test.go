package report_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// member is one of several canaries that ended as a snapshot does.
func member(canary, snapshot string, code int) report.FleetMember {
	s := snapshots()[snapshot]
	s.Canary = canary
	m := report.FleetMember{Result: report.Summarise(s)}
	m.ExitCode = code
	return m
}

func finishedFleet() report.Fleet {
	skipped := member("web", "empty", 1)
	skipped.Namespace, skipped.Skipped = "shop", "shop/cart did not end well"
	unfinished := member("stock", "healthy", 3)
	unfinished.Error = "the rollout is not finished; the next run takes it up where it is: the cluster has refused for 10m0s: no route to host"
	return report.Fleet{ExitCode: 1, Canaries: []report.FleetMember{
		member("podinfo", "promoted", 0), member("cart", "rolled-back", 1), skipped, unfinished, member("search", "initialised", 0),
	}}
}

func TestGoldenFleet(t *testing.T) {
	t.Parallel()
	f := finishedFleet()
	doc, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "fleet.json", string(doc))
	for _, width := range []int{120, 80, 40} {
		look := report.Look{Width: width}
		golden(t, fmt.Sprintf("fleet.table-%d", width), look.FleetTable(f)+"\n"+look.FleetClosing(f))
	}
	golden(t, "fleet.ascii", report.Look{Width: 80, ASCII: true}.FleetTable(f)+report.Look{Width: 80, ASCII: true}.FleetClosing(f))
}

func runningFleet() []report.FleetLine {
	var lines []report.FleetLine
	for i, name := range []string{"failed-check", "promoted", "healthy", "rolled-back", "first-step", "initialised"} {
		s := snapshots()[name]
		s.Canary = fmt.Sprintf("%s-%d", s.Canary, i)
		lines = append(lines, report.FleetLine{Snapshot: s, Over: s.Outcome != rollout.Running})
	}
	waits := report.Snapshot{Canary: "web", Namespace: "shop", Reason: "waits for shop/podinfo-0"}
	skipped := report.Snapshot{Canary: "search", Namespace: "shop", Reason: "skipped: shop/podinfo-3 did not end well"}
	return append(lines, report.FleetLine{Snapshot: waits, Waits: true}, report.FleetLine{Snapshot: skipped, Waits: true, Over: true})
}

func TestGoldenLiveFleet(t *testing.T) {
	t.Parallel()
	golden(t, "fleet.live-100", report.Look{Width: 100}.Fleet(runningFleet()))
	golden(t, "fleet.live-60", report.Look{Width: 60}.Fleet(runningFleet()))
	golden(t, "fleet.live-short", report.Look{Width: 100, Height: 8}.Fleet(runningFleet()))
	golden(t, "fleet.live-ascii", report.Look{Width: 100, ASCII: true}.Fleet(runningFleet()))
}

func TestAFleetFitsTheTerminal(t *testing.T) {
	t.Parallel()
	nasty := func(s report.Snapshot) report.Snapshot {
		s.Canary, s.Namespace, s.Reason = hostile, strings.Repeat("long", 20), hostile
		return s
	}
	var lines []report.FleetLine
	f := report.Fleet{ExitCode: 3}
	for name := range snapshots() {
		for i, s := range []report.Snapshot{snapshots()[name], nasty(snapshots()[name])} {
			lines = append(lines, report.FleetLine{Snapshot: s, Waits: i == 1 && len(lines)%3 == 0, Over: s.Outcome != rollout.Running})
			m := report.FleetMember{Result: report.Summarise(s)}
			if m.ExitCode = 3; len(lines)%4 == 0 {
				m.Error = hostile
			} else if len(lines)%4 == 1 {
				m.Skipped = hostile
			}
			f.Canaries = append(f.Canaries, m)
		}
	}
	for _, width := range []int{40, 41, 57, 80, 119, 200} {
		for _, height := range []int{0, 5, 6, 20} {
			look := report.Look{Width: width, Height: height}
			live := look.Fleet(lines)
			if n := strings.Count(live, "\n"); height > 0 && n >= height {
				t.Errorf("%d lines for a height of %d", n, height)
			}
			for _, text := range []string{live, look.FleetTable(f), look.FleetClosing(f)} {
				for line := range strings.Lines(text) {
					if lipgloss.Width(strings.TrimSuffix(line, "\n")) > width {
						t.Errorf("wider than %d: %q", width, line)
					}
					if strings.Contains(line, "\x1b") || strings.HasPrefix(strings.TrimLeft(line, " "), "::") || !utf8.ValidString(line) {
						t.Errorf("not clean: %q", line)
					}
				}
			}
		}
	}
}
