package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The runner drops a summary that is longer, and cuts the message of an annotation.
const (
	runnerSummaryLimit = 1 << 20
	runnerMessageLimit = 4096
)

// collect does with the files and the log of the step what the runner does once the container has ended.
func (s *runnerStep) collect(log string) {
	outputs, err := fileCommands(s.commandFile("set_output"))
	s.ts.Check(err)
	state, err := fileCommands(s.commandFile("save_state"))
	s.ts.Check(err)
	summary := s.commandFile("step_summary")
	if len(summary) > runnerSummaryLimit {
		s.ts.Fatalf("the summary has %d bytes, and the runner drops it", len(summary))
	}
	for _, name := range []string{"set_env", "add_path"} {
		if text := s.commandFile(name); text != "" {
			s.ts.Fatalf("the step changes %s for the steps after it: %s", name, text)
		}
	}
	shown, err := runnerLog(log)
	s.ts.Logf("%s", shown)
	if !s.killed || !errors.Is(err, errOpenGroup) { // which nobody could close any more
		s.ts.Check(err)
	}
	for name, text := range map[string]string{"log": shown, "outputs": outputs, "state": state, "summary.md": summary} {
		s.ts.Check(os.WriteFile(s.ts.MkAbs(name), []byte(text), 0o600))
	}
}

func (s *runnerStep) commandFile(name string) string {
	text, err := os.ReadFile(filepath.Join(s.root, "github/file_commands", name+"_5f6c"))
	s.ts.Check(err)
	return string(text)
}

// fileCommands reads the file of outputs or of state, as name=value or between delimiters, and writes each as name=value.
func fileCommands(text string) (string, error) {
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines) && text != ""; i++ {
		name, delimiter, between := strings.Cut(lines[i], "<<")
		if !between {
			if !strings.Contains(lines[i], "=") {
				return "", fmt.Errorf("invalid format %q", lines[i])
			}
			out.WriteString(lines[i] + "\n")
			continue
		}
		end := slices.Index(lines[i+1:], delimiter)
		if end < 0 {
			return "", fmt.Errorf("matching delimiter not found %q", delimiter)
		}
		out.WriteString(name + "=" + strings.Join(lines[i+1:i+1+end], `\n`) + "\n")
		i += end + 1
	}
	return out.String(), nil
}

var errOpenGroup = errors.New("is never closed")

var (
	runnerCommand  = regexp.MustCompile(`^\s*::([a-z-]+)( [^:]*)?::(.*)$`)
	runnerCommands = []string{"add-mask", "debug", "endgroup", "error", "group", "notice", "warning"}
)

// runnerLog is a log as people see it: commands are obeyed, and what is masked is not there. The error names commands that
// the step should not give, a message that is cut, and groups that do not match.
func runnerLog(text string) (string, error) {
	var shown strings.Builder
	var masks []string
	unescape := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")
	group := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		m := runnerCommand.FindStringSubmatch(line)
		if m != nil {
			name, value := m[1], unescape.Replace(m[3])
			switch {
			case !slices.Contains(runnerCommands, name):
				return shown.String(), fmt.Errorf("the step gives the command %q", line)
			case len(value) > runnerMessageLimit:
				return shown.String(), fmt.Errorf("the message of a command has %d bytes, and is cut", len(value))
			case name == "add-mask" && strings.TrimSpace(value) == "":
				return shown.String(), fmt.Errorf("the step masks nothing, and so everything")
			case name == "group" && group != "", name == "endgroup" && group == "":
				return shown.String(), fmt.Errorf("%q, and the group that is open is %q", line, group)
			case name == "group":
				group = value
			case name == "endgroup":
				group = ""
			case name == "add-mask":
				masks = append(masks, value)
				continue
			}
			line = "##[" + name + "]" + unescape.Replace(m[2]) + " " + value
		}
		for _, mask := range masks {
			line = strings.ReplaceAll(line, mask, "***")
		}
		shown.WriteString(line + "\n")
	}
	if group != "" {
		return shown.String(), fmt.Errorf("the group %q %w", group, errOpenGroup)
	}
	return shown.String(), nil
}
