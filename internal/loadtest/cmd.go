package loadtest

import (
	"errors"
	"fmt"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// parseCmd reads a command line: load by hey or ghz, which runs in process, or anything else, which needs a shell.
func parseCmd(r *reader) job { return r.commandLine("sh") }

// parseBash reads a command line for bash.
func parseBash(r *reader) job { return r.commandLine("bash") }

// commandLine reads metadata.cmd. A plain hey or ghz runs in process even where a shell could run it: its figures are known
// then, and nothing needs to be installed.
func (r *reader) commandLine(shell string) job {
	line := r.required("cmd")
	if line == "" {
		return nil
	}
	words, err := splitWords(line)
	if err == nil && len(words) > 0 {
		switch words[0] {
		case "hey":
			return r.hey(words[1:])
		case "ghz":
			return r.ghz(words[1:])
		}
	}
	if r.options.Exec && (err == nil || errors.Is(err, errShell) || shell == "bash") {
		return &process{argv: []string{shell, "-c", line}, options: r.options, title: r.title(shell, line)}
	}
	r.addf("metadata.cmd %q: %s", short(httpx.Redact(line)), refusal(words, err))
	return nil
}

// switchedOn says how commands are switched on, and files with them.
const switchedOn = "a run switches them on with --load-shell, a server with --load-tester-shell"

// refusal says why a command line cannot run here.
func refusal(words []string, err error) string {
	const off = "shell commands are switched off here; " + switchedOn
	switch {
	case errors.Is(err, errShell):
		return fmt.Sprintf("%s, and %s", err, off)
	case err != nil:
		return err.Error()
	}
	return off + "; without, allowed are hey and ghz, or type http for a smoke test"
}

// title describes a command.
func (r *reader) title(program, line string) string {
	return program + ": " + short(httpx.Redact(line))
}

// tool reads metadata.cmd as the arguments of a program. No shell looks at them.
func (r *reader) tool(program string) job {
	line := r.required("cmd")
	if !r.options.Exec {
		r.addf("metadata.type %s starts a process, and commands are switched off here; %s", program, switchedOn)
		return nil
	}
	words, err := splitArguments(line)
	if err != nil {
		r.addf("metadata.cmd %q: %s", short(httpx.Redact(line)), err)
		return nil
	}
	return &process{argv: append([]string{program}, words...), options: r.options, title: r.title(program, line)}
}
