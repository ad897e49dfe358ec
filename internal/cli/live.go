package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// refresh is how often a live view counts down, in real time.
const refresh = 250 * time.Millisecond

// logWidth is the width of tables in a log, where nothing says how wide the reader's window is.
const logWidth = 100

// Screen is what an output can show.
type Screen struct {
	Look report.Look
	Live bool // a frame can be drawn over the one before
}

// ScreenOf looks at an output and at the environment: a terminal gets a live view in colour, unless TERM is dumb or CI
// says that the output is a log; NO_COLOR takes the colours away. A terminal whose locale is not UTF-8 gets ASCII.
func ScreenOf(out *os.File, getenv func(string) string) Screen {
	s := Screen{Look: report.Look{Width: logWidth, ASCII: !unicodeLocale(getenv)}}
	fd := int(out.Fd())
	ci := strings.ToLower(getenv("CI"))
	if !term.IsTerminal(fd) || getenv("TERM") == "dumb" || (ci != "" && ci != "false" && ci != "0") {
		return s
	}
	s.Live, s.Look.Colour = true, getenv("NO_COLOR") == ""
	s.Look.ASCII = s.Look.ASCII || getenv("TERM") == "linux" // the kernel's console has few glyphs
	if width, height, err := term.GetSize(fd); err == nil && width > 0 {
		s.Look.Width, s.Look.Height = width, height
	}
	return s
}

// unicodeLocale reports whether the locale allows more than ASCII. Containers often set none at all and are looked at
// through terminals that can show everything.
func unicodeLocale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

// patience is how long a wait lasts before it is worth a line, in real time.
const patience = time.Second

// Plain writes one line per decision. A wait for pods or for the router changes its words many times a second: what lasts
// shorter than patience gets no line, and what lasts longer gets one line per patience at most, with its latest words.
type Plain struct {
	w     io.Writer
	parts chapters // of the log of a CI job

	mu      sync.Mutex
	prev    report.Snapshot // the last one that was written
	pending *report.Snapshot
	timer   *time.Timer // writes what is pending; nil when nothing is
}

// NewPlain returns a view for logs and pipes.
func NewPlain(w io.Writer) *Plain { return &Plain{w: w} }

// Send writes the line of s, when s says anything new. An output that is gone does not stop a rollout.
func (p *Plain) Send(s report.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if waits(&p.prev, &s) {
		p.pending = &s
		if p.timer == nil {
			p.timer = time.AfterFunc(patience, p.flush)
		}
		return
	}
	p.forget()
	p.write(s)
}

// Close writes what is still pending: the last words of a wait that a run ended in. Calling it again is harmless.
func (p *Plain) Close() error {
	p.flush()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts.end()
	return nil
}

func (p *Plain) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.pending; s != nil {
		p.forget()
		p.write(*s)
	}
}

func (p *Plain) forget() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.pending, p.timer = nil, nil
}

// seen takes note of what was shown otherwise.
func (p *Plain) seen(s report.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	p.prev = s
}

func (p *Plain) write(s report.Snapshot) {
	if line := report.Line(p.prev, s); line != "" {
		p.parts.turn(s)
		_, _ = io.WriteString(p.w, line+"\n")
	}
	p.prev = s
}

// waits reports whether s is where the rollout was already, and only says what it waits for.
func waits(prev, s *report.Snapshot) bool {
	switch s.Status.Reason.Code {
	case rollout.PrimaryNotReady, rollout.CanaryNotReady, rollout.RouterNotSettled, rollout.RouterSettling:
	default:
		return false
	}
	before, now := prev.Status, s.Status
	before.Reason, now.Reason = rollout.Reason{}, rollout.Reason{}
	return before == now && s.Outcome == prev.Outcome && prev.Canary == s.Canary && prev.Namespace == s.Namespace
}

// Live draws a rollout on a terminal, below what is there already, and leaves its last frame in place. It reads no input
// and handles no signal but the one that says that the window has another size: Ctrl-C is the caller's.
//
// Defer Close, so that a panic too gives the cursor back. When drawing breaks, lines take the frame's place.
type Live struct {
	program *tea.Program
	plain   *Plain
	done    chan struct{} // closed when the program has ended
	err     error         // readable once done is closed
}

// NewLive starts to draw on w. now is the clock of the rollout, which may run faster than real time.
func NewLive(w io.Writer, look report.Look, now func() time.Time) *Live {
	options := []tea.ProgramOption{tea.WithOutput(w), tea.WithInput(nil), tea.WithoutSignalHandler()}
	if _, file := w.(*os.File); !file {
		options = append(options, tea.WithWindowSize(look.Width, look.Height))
	}
	l := &Live{
		program: tea.NewProgram(liveModel{look: look, now: now}, options...),
		plain:   NewPlain(w),
		done:    make(chan struct{}),
	}
	go func() {
		defer close(l.done)
		_, l.err = l.program.Run()
	}()
	return l
}

// Send shows s in place of what is shown. Only one goroutine may call it.
func (l *Live) Send(s report.Snapshot) {
	select {
	case <-l.done:
		l.plain.Send(s)
	default:
		l.plain.seen(s)
		l.program.Send(snapshotMsg(s))
	}
}

// Close draws the last snapshot once more, gives the cursor back and waits for both. Calling it again is harmless.
func (l *Live) Close() error {
	l.program.Quit()
	<-l.done
	if l.err != nil {
		return fmt.Errorf("draw the live view: %w", l.err)
	}
	return nil
}

type (
	snapshotMsg report.Snapshot
	tickMsg     struct{}
)

// liveModel is what is drawn: the last snapshot, and what it is drawn for.
type liveModel struct {
	look report.Look
	now  func() time.Time
	last *report.Snapshot
}

func (f liveModel) Init() tea.Cmd { return tick() }

func tick() tea.Cmd { return tea.Tick(refresh, func(time.Time) tea.Msg { return tickMsg{} }) }

func (f liveModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case snapshotMsg:
		s := report.Snapshot(msg)
		f.last = &s
		return f, tea.RequestWindowSize // draws the frame as a whole, which repairs what typing did to it
	case tea.WindowSizeMsg:
		f.look.Width, f.look.Height = msg.Width, msg.Height
	case tickMsg:
		return f, tick()
	}
	return f, nil
}

func (f liveModel) View() tea.View {
	text := ""
	if f.last != nil {
		s := *f.last
		if now := f.now(); now.After(s.Now) {
			s.Now = now // counts down; what was decided stays as it was
		}
		text = f.look.Live(s)
	}
	v := tea.NewView(text)
	v.DisableBracketedPasteMode = true // nobody reads what is pasted
	// The cursor stays visible on the empty row below the frame: what is typed lands there, and a process that is killed
	// leaves a terminal that needs no repair. This shape and blinking stand for "as the user has it".
	v.Cursor = &tea.Cursor{Position: tea.Position{Y: strings.Count(text, "\n")}, Shape: -1}
	return v
}
