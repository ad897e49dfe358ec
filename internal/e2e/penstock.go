package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Line is one that a penstock process printed.
type Line struct {
	At     time.Time
	Stream string // stdout or stderr
	Text   string // without the line break
}

// A Run is a penstock process.
type Run struct {
	Started time.Time

	namespace *Namespace
	cmd       *exec.Cmd
	done      chan struct{}

	mu    sync.Mutex
	lines []Line
}

// programs are the binaries that are built when the first test asks for them.
type programs struct {
	dir               string
	penstock, kubectl program
}

type program struct {
	once sync.Once
	path string
	err  error
}

// penstockBinary builds the code under test, once for all tests.
func (c *Cluster) penstockBinary(ctx context.Context) (string, error) {
	p := &c.programs.penstock
	p.once.Do(func() {
		p.path = filepath.Join(c.programs.dir, "penstock")
		p.err = goBuild(context.WithoutCancel(ctx), "../..", "-o", p.path, "./cmd/penstock")
	})
	return p.path, p.err
}

// Penstock starts penstock as a user would: its home directory has a kubeconfig with this namespace's context, and its
// environment has PATH and HOME and nothing else. The process is killed when the test ends.
func (n *Namespace) Penstock(args ...string) *Run {
	n.t.Helper()
	return n.PenstockWith(nil, args...)
}

// PenstockWith is Penstock with further environment variables, as NAME=value.
func (n *Namespace) PenstockWith(env []string, args ...string) *Run {
	n.t.Helper()
	binary, err := n.cluster.penstockBinary(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return n.Start(binary, env, args...)
}

// Start starts any program in the way of Penstock.
func (n *Namespace) Start(binary string, env []string, args ...string) *Run {
	n.t.Helper()
	r := &Run{namespace: n, done: make(chan struct{}), cmd: exec.Command(binary, args...)}
	r.cmd.Dir = n.home
	r.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.home}, env...)
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	r.Started = time.Now()
	if err := n.cluster.spawner.start(r.cmd); err != nil {
		n.t.Fatalf("start %s: %v", filepath.Base(binary), err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { r.read("stdout", stdout) })
	reading.Go(func() { r.read("stderr", stderr) })
	go func() {
		reading.Wait()
		// The exit code is read from ProcessState; the error says no more.
		_ = r.cmd.Wait()
		close(r.done)
	}()
	n.t.Cleanup(func() {
		r.Kill()
		if n.t.Failed() {
			n.t.Logf("%s", r.Transcript())
		}
	})
	return r
}

func (r *Run) read(stream string, from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		text, err := lines.ReadString('\n')
		if text != "" {
			r.mu.Lock()
			r.lines = append(r.lines, Line{At: time.Now(), Stream: stream, Text: strings.TrimSuffix(text, "\n")})
			r.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// Kill ends the process and its children at once, with SIGKILL, and waits until it is gone.
func (r *Run) Kill() {
	signalGroup(r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.done
}

// Interrupt sends SIGINT, as Ctrl-C and a CI runner's cancellation do.
func (r *Run) Interrupt() { r.signal(syscall.SIGINT) }

// Terminate sends SIGTERM.
func (r *Run) Terminate() { r.signal(syscall.SIGTERM) }

func (r *Run) signal(signal syscall.Signal) {
	select {
	case <-r.done: // the kernel may have given its number to another process
	default:
		_ = r.cmd.Process.Signal(signal)
	}
}

// Wait waits until the process has ended, and returns its exit code: -1 when a signal ended it. A process that runs
// longer than within fails the test.
func (r *Run) Wait(within time.Duration) int {
	r.namespace.t.Helper()
	ctx, cancel := context.WithTimeout(r.namespace.t.Context(), within)
	defer cancel()
	select {
	case <-r.done:
	case <-ctx.Done():
		r.namespace.t.Fatalf("%s is still running after %s", r.name(), within)
	}
	return r.cmd.ProcessState.ExitCode()
}

// Done is closed when the process has ended.
func (r *Run) Done() <-chan struct{} { return r.done }

// AwaitLine waits until the process has printed a line with this text, and returns the first such line.
func (r *Run) AwaitLine(text string) Line {
	r.namespace.t.Helper()
	var found Line
	r.namespace.Await(fmt.Sprintf("%s to print %q", r.name(), text), func(context.Context) error {
		ended := false
		select {
		case <-r.done: // looked at before the lines: nothing is printed after it
			ended = true
		default:
		}
		for _, line := range r.Lines() {
			if strings.Contains(line.Text, text) {
				found = line
				return nil
			}
		}
		if ended {
			r.namespace.t.Fatalf("%s ended with code %d and did not print %q", r.name(), r.cmd.ProcessState.ExitCode(), text)
		}
		return fmt.Errorf("not in %d lines", len(r.Lines()))
	})
	return found
}

// Lines returns what was printed so far, in the order of its arrival.
func (r *Run) Lines() []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Line(nil), r.lines...)
}

// Stdout returns what the process has printed there so far.
func (r *Run) Stdout() string { return r.text("stdout") }

// Stderr returns what the process has printed there so far.
func (r *Run) Stderr() string { return r.text("stderr") }

func (r *Run) text(stream string) string {
	var text strings.Builder
	for _, line := range r.Lines() {
		if line.Stream == stream {
			text.WriteString(line.Text + "\n")
		}
	}
	return text.String()
}

// MaxRSS returns the most memory in bytes that the process, which has ended, ever had resident.
func (r *Run) MaxRSS() int64 {
	<-r.done
	usage, ok := r.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss * rssUnit
}

// Transcript returns all lines with the seconds since the start, for a test's log.
func (r *Run) Transcript() string {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s\n", r.name(), strings.Join(r.cmd.Args[1:], " "))
	for _, line := range r.Lines() {
		fmt.Fprintf(&text, "%8.3f %s | %s\n", line.At.Sub(r.Started).Seconds(), line.Stream, line.Text)
	}
	return text.String()
}

func (r *Run) name() string { return filepath.Base(r.cmd.Path) }
