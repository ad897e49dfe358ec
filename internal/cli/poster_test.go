package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

func TestARunThatCouldNotFinishLeavesItsReport(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		begun  bool
		writes bool
	}{
		"the cluster went away":    {unfinished(fmt.Errorf("%w: the cluster has refused for 10m", runner.ErrUnfinished)), true, true},
		"it was refused before":    {badInput(errors.New("no permission")), false, false},
		"it was never begun":       {unfinished(fmt.Errorf("%w: no lease", runner.ErrUnfinished)), false, false},
		"another run took it over": {superseded(errors.New("another run")), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			log, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = log.Close() }()
			b := &bulletin{app: &App{Stderr: log, Getenv: func(string) string { return "" }}}
			b.in.ReportDir = dir
			p := &poster{bulletin: b, publisher: forge.NewPublisher(t.Context()), dir: dir}
			result := runner.Result{}
			if c.begun {
				result.Snapshot = liveSnapshot(1)
			}
			p.last = result.Snapshot
			p.close(t.Context(), c.err)
			p.broken(result, c.err, true)
			text, err := os.ReadFile(filepath.Join(dir, "report.json"))
			if c.writes != (err == nil) {
				t.Fatalf("read the report: %v", err)
			}
			if c.writes && (!strings.Contains(string(text), `"outcome": "running"`) || !strings.Contains(string(text), `"exitCode": 3`) || !strings.Contains(string(text), "the cluster has refused for 10m")) {
				t.Errorf("the report does not say what happened:\n%s", text)
			}
			if said, err := os.ReadFile(log.Name()); err != nil || len(said) > 0 {
				t.Errorf("warned: %s (%v)", said, err)
			}
		})
	}
}

func TestARunOfSeveralLeavesTheReportOfOneThatCouldNotFinish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	outputs := filepath.Join(dir, "outputs")
	b := &bulletin{app: &App{Stderr: log, Getenv: func(name string) string { return map[string]string{"GITHUB_OUTPUT": outputs}[name] }}}
	b.in.ReportDir, b.ci.Platform = dir, forge.PlatformGitHub
	q := &squad{app: b.app, bulletin: b, left: map[int]leftover{}}
	for i, c := range []struct {
		name string
		err  error
	}{
		{"well", nil},
		{"broken", unfinished(fmt.Errorf("%w: the cluster has refused for 10m", runner.ErrUnfinished))},
		{"refused", badInput(errors.New("no permission"))},
	} {
		p := &poster{bulletin: b, publisher: forge.NewPublisher(t.Context()), dir: filepath.Join(dir, c.name)}
		p.last = liveSnapshot(1)
		m := report.FleetMember{Result: report.Summarise(p.last)}
		if c.err != nil {
			m.Error, m.ExitCode = c.err.Error(), codeOf(c.err)
			q.left[i] = leftover{runner.Result{Snapshot: p.last}, c.err}
		}
		q.members, q.posters = append(q.members, m), append(q.posters, p)
	}
	b.actions = forge.NewActions(log, b.app.Getenv)
	q.publish(t.Context())
	for name, want := range map[string]string{
		"report.json": "the cluster has refused for 10m", "report.html": "unfinished", "report.junit.xml": "<error message=",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "broken", name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q (%v):\n%s", name, want, err, text)
		}
		if _, err := os.Stat(filepath.Join(dir, "well", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "refused")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a rollout that was not begun has a report: %v", err)
	}
	if _, err := os.Stat(outputs); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("one of several has set the outputs of the job: %v", err)
	}
}

func TestAnErrorIsShownForWhatItIs(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]struct {
		title string
		state forge.State
	}{
		errors.New("x"):                            {"could not finish", forge.Error},
		unfinished(errors.New("x")):                {"could not finish", forge.Error},
		badInput(errors.New("x")):                  {"nothing was touched", forge.Failure},
		superseded(errors.New("x")):                {"superseded before it began", forge.Neutral},
		&exitError{ExitCancelled, errors.New("x")}: {"cancelled before it began", forge.Cancelled},
	} {
		said, state := ended(err)
		if said.Title != want.title || state != want.state || said.Why == "" || !strings.HasSuffix(said.Next, ".") {
			t.Errorf("%v: %+v as %s, want %q as %s", err, said, state, want.title, want.state)
		}
	}
}
