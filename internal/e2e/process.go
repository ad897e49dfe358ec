package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// A spawner starts processes that do not outlive this one. The kernel's parent-death signal is tied to the thread that
// forked, not to the process, so all forks come from one goroutine that keeps its thread for good.
type spawner struct {
	calls chan func()
}

func newSpawner() *spawner {
	s := &spawner{calls: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for call := range s.calls {
			call()
		}
	}()
	return s
}

// start starts cmd in a process group of its own, which dies with this process.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = groupOfItsOwn()
	done := make(chan error)
	s.calls <- func() { done <- cmd.Start() }
	return <-done
}

// close ends the spawner's thread. Call it after the last process has ended: those left die with the thread.
func (s *spawner) close() { close(s.calls) }

// A process is one component of the control plane, its output in a file.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended; err is set then
	err  error
}

// startProcess starts the binary with its output in dir/<name>.log.
func startProcess(s *spawner, dir, binary string, args []string) (*process, error) {
	name := filepath.Base(binary)
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer out.Close()
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = out, out, dir
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir()}
	if err := s.start(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop ends the process: politely first, after grace without asking.
func (p *process) stop(grace time.Duration) {
	signalGroup(p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(grace):
	}
	signalGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// watch cancels with the process's end as the cause, unless ctx ends first.
func (p *process) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-p.done:
		cancel(fmt.Errorf("%s ended unasked: %v", p.name, p.err))
	}
}

// tail returns the last lines of the log, for an error message.
func (p *process) tail(lines int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	rows := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(rows) > lines {
		rows = rows[len(rows)-lines:]
	}
	return string(bytes.Join(rows, []byte("\n")))
}
