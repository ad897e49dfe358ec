package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// board shows several rollouts to people. It is safe for concurrent use.
type board interface {
	Send(i int, s report.Snapshot)
	Skip(i int, why string) // the canary is never started
	End(i int)              // its run has ended
	Close() error
}

// board is standard error: a live frame with a line per canary on a terminal, else one line per decision.
func (a *App) board(lines []report.FleetLine, now func() time.Time) board {
	plain := &plainBoard{out: a.Stderr, lines: lines, now: now}
	for range lines {
		plain.views = append(plain.views, NewPlain(a.Stderr))
	}
	if s := ScreenOf(a.Stderr, a.Getenv); s.Live {
		return newLiveBoard(plain, s.Look)
	}
	return plain
}

// plainBoard writes one line per decision of each canary.
type plainBoard struct {
	out   *os.File
	lines []report.FleetLine
	now   func() time.Time
	views []*Plain
}

func (b *plainBoard) Send(i int, s report.Snapshot) { b.views[i].Send(s) }

func (b *plainBoard) Skip(i int, why string) {
	s := b.lines[i].Snapshot
	s.Now, s.Reason = b.now(), why
	if line := report.Line(report.Snapshot{}, s); line != "" {
		fmt.Fprintln(b.out, line)
	}
}

func (b *plainBoard) End(i int) { _ = b.views[i].Close() } // the last words of a wait that the run ended in

func (b *plainBoard) Close() error { return nil }

// liveBoard draws the canaries on a terminal as Live draws one. What changes is drawn a few times a second, however many
// canaries there are. When drawing breaks, lines take the frame's place.
type liveBoard struct {
	plain *plainBoard

	mu    sync.Mutex
	lines []report.FleetLine

	program *tea.Program
	done    chan struct{} // closed when the program has ended
	err     error         // readable once done is closed
}

func newLiveBoard(plain *plainBoard, look report.Look) *liveBoard {
	b := &liveBoard{plain: plain, lines: slices.Clone(plain.lines), done: make(chan struct{})}
	model := boardModel{look: look, now: plain.now, lines: b.snapshot}
	b.program = tea.NewProgram(model, tea.WithOutput(plain.out), tea.WithInput(nil), tea.WithoutSignalHandler())
	go func() {
		defer close(b.done)
		_, b.err = b.program.Run()
	}()
	return b
}

func (b *liveBoard) change(i int, f func(*report.FleetLine)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.lines[i])
}

func (b *liveBoard) Send(i int, s report.Snapshot) {
	b.change(i, func(l *report.FleetLine) { l.Snapshot, l.Waits = s, false })
	if b.broken() {
		b.plain.Send(i, s)
	} else {
		b.plain.views[i].seen(s)
	}
}

func (b *liveBoard) Skip(i int, why string) {
	b.change(i, func(l *report.FleetLine) { l.Snapshot.Reason, l.Over = why, true })
	if b.broken() {
		b.plain.Skip(i, why)
	}
}

func (b *liveBoard) End(i int) {
	b.change(i, func(l *report.FleetLine) { l.Over = true })
	b.plain.End(i)
}

// broken reports whether nothing is drawn any more.
func (b *liveBoard) broken() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

func (b *liveBoard) snapshot() []report.FleetLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

// Close draws the last state once more, gives the cursor back and waits for both. Calling it again is harmless.
func (b *liveBoard) Close() error {
	b.program.Send(tickMsg{})
	b.program.Quit()
	<-b.done
	if b.err != nil {
		return fmt.Errorf("draw the live view: %w", b.err)
	}
	return nil
}

// boardModel is what is drawn, a few times a second.
type boardModel struct {
	look  report.Look
	now   func() time.Time
	lines func() []report.FleetLine
	drawn []report.FleetLine
}

func (f boardModel) Init() tea.Cmd { return tick() }

func (f boardModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		f.look.Width, f.look.Height = msg.Width, msg.Height
	case tickMsg:
		f.drawn = f.lines()
		for i := range f.drawn {
			s := &f.drawn[i].Snapshot
			if now := f.now(); s.Outcome == rollout.Running && now.After(s.Now) {
				s.Now = now
			}
		}
		return f, tick()
	}
	return f, nil
}

func (f boardModel) View() tea.View {
	text := f.look.Fleet(f.drawn)
	v := tea.NewView(text)
	v.DisableBracketedPasteMode = true                                                      // nobody reads what is pasted
	v.Cursor = &tea.Cursor{Position: tea.Position{Y: strings.Count(text, "\n")}, Shape: -1} // see liveModel
	return v
}
