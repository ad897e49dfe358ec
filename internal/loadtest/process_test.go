//go:build unix

package loadtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCommandsRunOnlyWhereTheyAreSwitchedOn(t *testing.T) {
	t.Parallel()
	off, on := newTester(t, Options{}), newTester(t, Options{Exec: true})
	for _, p := range []Payload{
		payload("cmd", "touch /tmp/x"), payload("type", "bash", "cmd", "true"), payload("type", "kubectl", "cmd", "get po"),
		payload("type", "helm", "cmd", "test podinfo"), payload("type", "helmv3", "cmd", "test podinfo"),
		payload("cmd", "hey http://a.b.c; id"), payload("cmd", "wrk -d 1s http://a.b.c"),
	} {
		err := off.Check(p)
		if _, problems := errors.AsType[Problems](err); !problems || !strings.Contains(err.Error(), "switched off") {
			t.Errorf("%v: %v", p.Metadata, err)
		}
		if err := on.Check(p); err != nil {
			t.Errorf("%v: %v", p.Metadata, err)
		}
	}
	for _, plain := range []string{"hey -bogus http://a.b.c", "ghz --bogus a.b:1"} {
		if err := on.Check(payload("cmd", plain)); err == nil {
			t.Errorf("%s goes to a shell", plain)
		}
	}
}

func TestACommandSaysWhatItHasDone(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{Exec: true})
	for _, c := range []struct {
		kind, line, output, message string
	}{
		{"cmd", "echo out; echo err >&2", "out\nerr\n", ""},
		{"bash", "[[ a == a ]] && echo yes", "yes\n", ""},
		{"bash", "(echo late; exit 3)", "late\n", "exit status 3"},
		{"cmd", "no-such-command-at-all", "", "exit status 127"},
		{"bash", "(exec 3<>/dev/null; echo job) & echo shell; wait", "", ""},
	} {
		result := mustRun(t, tester, payload("type", c.kind, "cmd", c.line))
		if result.Passed != (c.message == "") || result.Message != c.message || (c.output != "" && result.Output != c.output) {
			t.Errorf("%s: %+v", c.line, result)
		}
	}
}

func TestAProcessSeesNoSecretsOfTheJob(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_TOKEN", "geheim")
	t.Setenv("PENSTOCK_TEST_ALLOWED", "yes")
	tester := newTester(t, Options{Exec: true, Env: []string{"PENSTOCK_TEST_ALLOWED"}})
	output := mustRun(t, tester, payload("type", "bash", "cmd", "env")).Output
	if strings.Contains(output, "PENSTOCK_TEST_TOKEN") {
		t.Errorf("%q", output)
	}
	mustContain(t, output, "PATH=", "PENSTOCK_TEST_ALLOWED=yes")
}

func TestAToolGetsItsArgumentsWithoutAShell(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"kubectl", "helm", "ghz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nprintf '%s|' ${0##*/} \"$@\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	tester := newTester(t, Options{Exec: true})
	for kind, want := range map[string]string{"kubectl": "kubectl|a|b c|$HOME;id|", "helm": "helm|a|b c|$HOME;id|", "helmv3": "helm|a|b c|$HOME;id|"} {
		if result := mustRun(t, tester, payload("type", kind, "cmd", "a 'b c' $HOME;id")); result.Output != want || !result.Passed {
			t.Errorf("%s: %+v", kind, result)
		}
	}
	if result := mustRun(t, tester, payload("cmd", "command ghz --insecure podinfo.test:9898")); result.Output != "ghz|--insecure|podinfo.test:9898|" || !result.Passed {
		t.Errorf("ghz: %+v", result)
	}
}

func TestAProgramThatIsNotThereFails(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	result := mustRun(t, newTester(t, Options{Exec: true}), payload("type", "helm", "cmd", "list"))
	if result.Passed || result.Message != "helm cannot be started: there is no such program here" {
		t.Errorf("%+v", result)
	}
}

// stubborn is a shell that does not heed SIGTERM, and neither does its child. It names both when they are there.
const stubborn = `trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $$ $! > "$PENSTOCK_TEST_PIDS.new" && ` +
	`mv "$PENSTOCK_TEST_PIDS.new" "$PENSTOCK_TEST_PIDS"; while :; do sleep 1; done`

// pidFile returns what waits for the file of ids that a command writes.
func pidFile(t *testing.T) (wait func() []int) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pids")
	t.Setenv("PENSTOCK_TEST_PIDS", name)
	return func() []int {
		poll := time.NewTicker(5 * time.Millisecond)
		defer poll.Stop()
		for range poll.C {
			content, err := os.ReadFile(name)
			if errors.Is(err, os.ErrNotExist) && t.Context().Err() == nil {
				continue
			}
			var pids []int
			for word := range bytes.FieldsSeq(content) {
				pid, _ := strconv.Atoi(string(word))
				pids = append(pids, pid)
			}
			return pids
		}
		return nil
	}
}

// gone waits until no process has the id, or only as one that is dead and waits to be collected.
func gone(t *testing.T, pid int) bool {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for range 1000 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if (err == nil && strings.Contains(string(stat), ") Z ")) || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		<-poll.C
	}
	return false
}

func mustBeGone(t *testing.T, pids []int) {
	t.Helper()
	if len(pids) != 2 {
		t.Fatalf("ids %v", pids)
	}
	for _, pid := range pids {
		if !gone(t, pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func TestAProcessThatIgnoresSIGTERMIsKilledWithItsChildren(t *testing.T) {
	wait := pidFile(t)
	tester := newTester(t, Options{Exec: true, Env: []string{"PENSTOCK_TEST_PIDS"}, grace: 20 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := tester.Start(ctx, payload("type", "bash", "cmd", stubborn)); err != nil {
		t.Fatal(err)
	}
	pids := wait()
	cancel()
	tester.Wait()
	mustBeGone(t, pids)
	if results := tester.Results(); len(results) != 0 {
		t.Errorf("what was interrupted has a result: %+v", results)
	}
}

func TestAProcessIsKilledAtTheTimeout(t *testing.T) {
	wait := pidFile(t)
	tester := newTester(t, Options{
		Exec: true, Env: []string{"PENSTOCK_TEST_PIDS"}, grace: 20 * time.Millisecond, Timeout: 500 * time.Millisecond,
	})
	result := mustRun(t, tester, payload("type", "bash", "cmd", stubborn))
	if result.Passed || !strings.Contains(result.Message, "stopped after 500ms") {
		t.Errorf("%+v", result)
	}
	mustBeGone(t, wait())
}

func TestAProcessThatEndsLeavesNoChildren(t *testing.T) {
	wait := pidFile(t)
	tester := newTester(t, Options{Exec: true, Env: []string{"PENSTOCK_TEST_PIDS"}})
	result := mustRun(t, tester, payload("type", "bash", "cmd", `sleep 600 >/dev/null 2>&1 & echo $! $! > "$PENSTOCK_TEST_PIDS"`))
	if !result.Passed {
		t.Errorf("%+v", result)
	}
	mustBeGone(t, wait())
}

func TestAProcessMayCleanUpWhenItIsStopped(t *testing.T) {
	wait := pidFile(t)
	tester := newTester(t, Options{Exec: true, Env: []string{"PENSTOCK_TEST_PIDS"}, Timeout: 500 * time.Millisecond, grace: time.Minute})
	result := mustRun(t, tester, payload("type", "bash", "cmd",
		`trap 'echo cleaned; exit 0' TERM; echo 1 > "$PENSTOCK_TEST_PIDS"; while :; do sleep 0.01; done`))
	if result.Passed || !strings.Contains(result.Output, "cleaned") || len(wait()) != 1 {
		t.Errorf("%+v", result)
	}
}

func TestWhoLeavesTheGroupIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{Exec: true, Timeout: 300 * time.Millisecond, grace: 20 * time.Millisecond})
	result := mustRun(t, tester, payload("type", "bash", "cmd", "setsid sleep 5 & wait"))
	if result.Passed || result.Elapsed > 4*time.Second {
		t.Errorf("%+v", result)
	}
}

func TestOutputIsCapped(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{Exec: true, MaxOutput: 1000})
	result := mustRun(t, tester, payload("type", "bash", "cmd", "echo begin; yes xxx | head -c 1000000000; echo end"))
	if !result.Passed || len(result.Output) > 1100 {
		t.Errorf("%d bytes", len(result.Output))
	}
	mustContain(t, result.Output, "begin\nxxx", "bytes were left out", "xxx\nend\n")
}

func TestTheBeginningAndTheEndOfOutputAreKept(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3, 7, 100} {
		c := &capped{limit: 10}
		text := strings.Repeat("0123456789", 10)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if wrote, err := c.Write([]byte(rest[:n])); wrote != n || err != nil {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		if got := c.String(); got != "01234\n… 90 bytes were left out …\n56789" {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
	if got := cut("0123456789", 10); got != "0123456789" {
		t.Errorf("%q", got)
	}
	if got := cut("a\xffb", 10); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}
