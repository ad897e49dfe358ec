package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is a command that runs in a process group of its own.
type process struct {
	argv    []string
	options *Options
	title   string
}

// String describes it.
func (p *process) String() string { return p.title }

// environment is what processes get to see: the variables that are allowed, and none of the secrets of a CI job.
func environment(allowed []string) []string {
	env := []string{}
	for _, name := range append([]string{"PATH", "HOME"}, allowed...) {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// run runs the command until it and all that writes to its output have ended: a shell that has left jobs behind is not done.
func (p *process) run(ctx context.Context) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	reads, writes, err := os.Pipe()
	if err != nil {
		return outcome{}, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = reads.Close() }()
	//nolint:noctx // ctx would kill the process alone; its whole group has to go
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Dir = environment(p.options.Env), p.options.Dir
	// A file, not a writer: else Wait would wait for every heir of the pipe, also for one that has left the group.
	cmd.Stdout, cmd.Stderr = writes, writes
	ownGroup(cmd)
	err = cmd.Start()
	_ = writes.Close()
	if err != nil {
		return outcome{message: fmt.Sprintf("%s cannot be started: %s", p.argv[0], plain(err))}, nil
	}
	output := &capped{limit: p.options.MaxOutput}
	err = p.await(ctx, cmd, reads, output)
	end := outcome{passed: err == nil, output: output.String()}
	if err != nil {
		end.message = plain(err)
	}
	return end, nil
}

// await waits for the end of a process that has started, and for that of its output.
func (p *process) await(ctx context.Context, cmd *exec.Cmd, reads *os.File, output io.Writer) error {
	ended := make(chan error, 1)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(output, reads) // it ends with the last writer, or when reads is closed
	}()
	go func() {
		err := cmd.Wait()
		<-copied
		ended <- err
	}()
	select {
	case err := <-ended:
		// What closed its output and stayed is of no use to anybody. The group's id cannot be another's yet, as ids are
		// given out in a circle.
		killGroup(cmd)
		return err
	case <-ctx.Done():
	}
	stopGroup(cmd)
	grace := time.NewTimer(p.options.grace)
	defer grace.Stop()
	select {
	case err := <-ended:
		killGroup(cmd)
		return errors.Join(ctx.Err(), err)
	case <-grace.C:
	}
	killGroup(cmd)
	// Only what has left the group can still hold the pipe now, and nobody waits for that.
	_ = reads.SetReadDeadline(time.Now().Add(p.options.grace))
	return errors.Join(ctx.Err(), <-ended)
}

// plain says why a command did not end well, without the path and the system call.
func plain(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Error()
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return "there is no such program here"
	}
	return err.Error()
}
