package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// How GitHub's runner ends a step that is cancelled: an interrupt, and then less and less politely.
const (
	untilTerminated = 7500 * time.Millisecond
	untilKilled     = 2500 * time.Millisecond
	stepLimit       = 2 * time.Minute // of a step of a script
)

// imageKey finds the stepImage of the scripts.
type imageKey struct{}

// stepImage returns the path of the binary that the Dockerfile puts into its image, built without C so that it needs
// nothing of the machine. It is built in dir when it is first asked for: scripts that run at the same time share it.
func stepImage(dir string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(dir, "penstock")
		build := exec.Command("go", "build", "-buildvcs=false", "-tags", "timetzdata", "-o", path, "../../cmd/penstock")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the binary of the image: %w\n%s", err, out)
		}
		return path, nil
	})
}

// image puts the binary where the Dockerfile does.
func (s *runnerStep) image() {
	path := filepath.Join(s.root, "usr/local/bin/penstock")
	if _, err := os.Stat(path); err == nil {
		return // of the step before
	}
	built, err := s.ts.Value(imageKey{}).(func() (string, error))()
	s.ts.Check(err)
	s.ts.Check(os.Link(built, path))
	s.ts.Check(os.Symlink("penstock", filepath.Join(filepath.Dir(path), finalizeName)))
}

// runnerStep is a step of the action as GitHub's runner runs it: with docker run, in an image from scratch.
type runnerStep struct {
	ts       *testscript.TestScript
	root     string            // of the container's files
	seen     string            // what the process calls it: nothing in a container of its own
	with     map[string]string // as the workflow gives them
	stopAt   *regexp.Regexp    // ends the step once the log has this; may be nil
	killed   bool              // ends it as a machine does that is out of memory, and not as a person does
	post     bool              // it is the post step
	isolated *syscall.SysProcAttr
}

// container runs the action as a step of a job whose forge and cluster the script has started:
//
//	container CODE [OPTION] [NAME=VALUE...]   demand the exit code; a value of @FILE is what the file holds
//	  -cancel EXPRESSION   cancel the step when its log has that
//	  -kill EXPRESSION     kill it then, with the exit code -1
//	  -post                run the post step of the step before
//
// The directory workspace is the checkout. Afterwards the log is in the file log, as people see it, and the outputs, the
// summary and the state are in outputs, summary.md and state.
func container(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: container CODE [-cancel EXPRESSION | -kill EXPRESSION | -post] [NAME=VALUE...]")
	}
	s := &runnerStep{ts: ts, root: ts.MkAbs("container"), with: map[string]string{}}
	code := args[0]
	switch args = args[1:]; {
	case len(args) > 1 && (args[0] == "-cancel" || args[0] == "-kill"):
		s.killed = args[0] == "-kill"
		s.stopAt, args = regexp.MustCompile(args[1]), args[2:]
	case len(args) > 0 && args[0] == "-post":
		s.post, args = true, args[1:]
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if path, isFile := strings.CutPrefix(value, "@"); isFile {
			value = ts.ReadFile(path)
		}
		s.with[name] = value
	}
	s.mount()
	before := s.files()
	got, log := s.run()
	s.collect(log)
	if after := s.files(); !slices.Equal(before, after) {
		ts.Fatalf("the step wrote outside of what the runner mounts: %q, before %q", after, before)
	}
	if fmt.Sprint(got) != code {
		ts.Fatalf("the step exits %d, want %s", got, code)
	}
}

// mount makes the files of the container: those of the image, and the directories that the runner mounts. An image from
// scratch has no shell, no /tmp and no /etc/passwd.
func (s *runnerStep) mount() {
	s.ts.Check(os.RemoveAll(filepath.Join(s.root, "github", "file_commands")))
	for _, dir := range []string{"usr/local/bin", "etc/ssl/certs", "github/home", "github/workflow", "github/file_commands", "github/runner_temp", "github/workspace"} {
		s.ts.Check(os.MkdirAll(filepath.Join(s.root, dir), 0o755))
	}
	s.image()
	s.ts.Check(os.CopyFS(filepath.Join(s.root, "github/workspace"), newer{os.DirFS(s.ts.MkAbs("workspace")), filepath.Join(s.root, "github/workspace")}))
	s.write("github/workflow/event.json", s.ts.ReadFile("event.json"))
	for _, name := range []string{"set_output", "save_state", "step_summary", "set_env", "add_path"} {
		s.write("github/file_commands/"+name+"_5f6c", "")
	}
	s.seen = s.root
	for _, way := range isolations(s.root) {
		probe := exec.Command("/usr/local/bin/penstock", "version")
		probe.SysProcAttr, probe.Dir = way, "/github/workspace"
		if probe.Run() == nil {
			s.isolated, s.seen = way, ""
			return
		}
	}
	s.ts.Logf("this machine allows no container; the step runs with its environment only")
}

func (s *runnerStep) write(path, text string) {
	s.ts.Check(os.WriteFile(filepath.Join(s.root, path), []byte(text), 0o644))
}

// newer hides the files that are in the workspace already: the checkout was made before the first step.
type newer struct {
	fs.FS
	there string
}

func (n newer) Open(name string) (fs.File, error) { return n.FS.Open(name) }

// ReadDir makes it what CopyFS walks.
func (n newer) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(n.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		info, err := os.Stat(filepath.Join(n.there, name, e.Name()))
		return err == nil && !info.IsDir()
	}), err
}

// files are those outside of what the runner mounts.
func (s *runnerStep) files() []string {
	var all []string
	s.ts.Check(filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "github" {
			return filepath.SkipDir
		}
		all = append(all, path)
		return err
	}))
	return all
}

// environment is all that the process gets: the runner passes on nothing of the machine's.
func (s *runnerStep) environment(action *actionManifest) []string {
	commands, github := s.seen+"/github/file_commands/", s.seen+"/github/"
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": "0123456789ab", "HOME": github + "home", "CI": "true",
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": github + "workspace", "GITHUB_EVENT_PATH": github + "workflow/event.json",
		"GITHUB_OUTPUT": commands + "set_output_5f6c", "GITHUB_STATE": commands + "save_state_5f6c", "GITHUB_STEP_SUMMARY": commands + "step_summary_5f6c",
		"GITHUB_ENV": commands + "set_env_5f6c", "GITHUB_PATH": commands + "add_path_5f6c", "GITHUB_ACTION": "rollout", "GITHUB_ACTION_REPOSITORY": "penstock-dev/penstock",
		"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_NAME": "runner", "RUNNER_ENVIRONMENT": "github-hosted", "RUNNER_TEMP": github + "runner_temp", "RUNNER_WORKSPACE": "/home/runner/work/shop",
	}
	for _, name := range []string{"API_URL", "SERVER_URL", "REPOSITORY", "REPOSITORY_ID", "SHA", "REF", "EVENT_NAME", "ACTOR", "ACTOR_ID", "TRIGGERING_ACTOR", "RUN_ID", "RUN_ATTEMPT", "JOB"} {
		env["GITHUB_"+name] = s.ts.Getenv("GITHUB_" + name)
	}
	given := map[string]bool{}
	for name, in := range action.Inputs {
		value, ok := s.with[name]
		if !ok {
			value = strings.ReplaceAll(in.Default, "${{ github.token }}", s.ts.Getenv("GITHUB_TOKEN"))
		}
		given[name] = true
		env["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_"))] = value
	}
	if s.post {
		for line := range strings.Lines(s.ts.ReadFile("state")) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			env["STATE_"+name] = value
		}
	}
	var all []string
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	for name := range s.with {
		if !given[name] {
			s.ts.Fatalf("%s is no input of the action", name)
		}
	}
	return all
}

// actionManifest is what the runner reads of action.yml.
type actionManifest struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Args           []string
		PostEntrypoint string `yaml:"post-entrypoint"`
	}
}

var harmless = regexp.MustCompile(`^[a-z-]+$`)

// run starts the entrypoint of the image with the arguments of the action, and returns its exit code and what it wrote.
func (s *runnerStep) run() (int, string) {
	text, err := os.ReadFile(actionFile)
	s.ts.Check(err)
	action := &actionManifest{}
	s.ts.Check(yaml.Unmarshal(text, action))
	for _, arg := range action.Runs.Args {
		if !harmless.MatchString(arg) {
			s.ts.Fatalf("the runner writes %q on a command line, where it may become something else", arg)
		}
	}
	entrypoint := "/usr/local/bin/penstock"
	if s.post {
		entrypoint = action.Runs.PostEntrypoint
	}
	cmd := exec.Command(s.seen+entrypoint, action.Runs.Args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = s.environment(action), s.seen+"/github/workspace", s.isolated
	log := &watched{stop: s.stopAt, found: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log // the runner reads both
	s.ts.Check(cmd.Start())
	ended := make(chan struct{})
	go s.end(cmd.Process, log, ended)
	_ = cmd.Wait() // the exit code says it
	close(ended)
	return cmd.ProcessState.ExitCode(), log.text()
}

// end ends a process that should not run on, as the runner does or as nobody means to.
func (s *runnerStep) end(process *os.Process, log *watched, ended <-chan struct{}) {
	select {
	case <-log.found:
		if s.killed {
			_ = process.Kill()
			return
		}
		_ = process.Signal(os.Interrupt)
	case <-time.After(stepLimit):
	case <-ended:
		return
	}
	select {
	case <-time.After(untilTerminated):
		_ = process.Signal(syscall.SIGTERM)
	case <-ended:
		return
	}
	select {
	case <-time.After(untilKilled):
		_ = process.Kill()
	case <-ended:
	}
}

// watched keeps a log, and tells when it has something.
type watched struct {
	mu    sync.Mutex
	all   bytes.Buffer
	stop  *regexp.Regexp
	found chan struct{}
	once  sync.Once
}

func (w *watched) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(text)
	if w.stop != nil && w.stop.Match(w.all.Bytes()) {
		w.once.Do(func() { close(w.found) })
	}
	return len(text), nil
}

func (w *watched) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
