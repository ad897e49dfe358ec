package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// foreign are the programs of others that a document may call.
var foreign = []string{"cd", "curl", "docker", "gh", "git", "glab", "helm", "kubectl", "tee", "apt-get"}

// shellCommands returns the commands of a block of shell, each as its words. It knows quotes, comments, continued lines,
// pipes, lists and redirections, which is all that a document should need.
func shellCommands(block string) ([][]string, error) {
	var all [][]string
	var words []string
	var word strings.Builder
	var quote rune
	started, skip := false, false // skip: the next word is the file of a redirection
	endWord := func() {
		if started && !skip {
			words = append(words, word.String())
		}
		skip = skip && !started
		started = false
		word.Reset()
	}
	end := func() {
		endWord()
		for len(words) > 0 && assignment.MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	text := []rune(strings.ReplaceAll(block, "\\\n", " "))
	for i := 0; i < len(text); i++ {
		switch r := text[i]; {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, started = r, true
		case r == '#' && !started:
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case r == '\n' || r == '|' || r == ';' || r == '&':
			end()
		case r == ' ' || r == '\t':
			endWord()
		case r == '>' || r == '<':
			endWord()
			skip = true
		default:
			started = true
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote does not end")
	}
	end()
	return all, nil
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// ours returns the arguments of penstock, if that is what a command calls.
func ours(words []string) (args []string, found bool) {
	switch {
	case words[0] == "penstock":
		return words[1:], true
	case len(words) > 2 && words[0] == "go" && words[1] == "run" && words[2] == "./cmd/penstock":
		return words[3:], true
	}
	return nil, false
}

// checkCommand says what is wrong with a command of a document.
func checkCommand(words []string) error {
	if args, found := ours(words); found {
		return checkArguments(args)
	}
	if words[0] == "go" {
		return checkGo(words[1:])
	}
	if !slices.Contains(foreign, words[0]) {
		return fmt.Errorf("%q is no program that a document may call; those are penstock, go and %v", words[0], foreign)
	}
	return nil
}

func checkArguments(args []string) error {
	command, rest, err := commandTree().Find(args)
	if err != nil {
		return err
	}
	if err := command.ParseFlags(rest); err != nil {
		return err
	}
	return command.ValidateArgs(command.Flags().Args())
}

// checkGo looks whether the packages of a go command exist.
func checkGo(args []string) error {
	if len(args) == 0 || !slices.Contains([]string{"build", "test", "vet"}, args[0]) {
		return fmt.Errorf("go %v: a document may only build, test, vet, or run ./cmd/penstock", args)
	}
	for _, arg := range args[1:] {
		if !strings.HasPrefix(arg, "./") {
			continue
		}
		if _, err := os.Stat(filepath.Join("../..", strings.TrimSuffix(arg, "..."))); err != nil {
			return fmt.Errorf("go %v: there is no package %s", args, arg)
		}
	}
	return nil
}

// commandsOf returns every command of a document, those in the scripts of its YAML included.
func commandsOf(t *testing.T, d document) [][]string {
	t.Helper()
	scripts := d.blocks("sh")
	for _, block := range d.blocks("yaml") {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(block), &root); err == nil { // what is wrong with it is found elsewhere
			scripts = append(scripts, scriptsIn(&root)...)
		}
	}
	var all [][]string
	for _, script := range scripts {
		commands, err := shellCommands(script)
		if err != nil {
			t.Errorf("%s: %v in\n%s", d.name, err, script)
		}
		all = append(all, commands...)
	}
	return all
}

// scriptsIn returns the texts of YAML that call penstock.
func scriptsIn(n *yaml.Node) []string {
	var all []string
	if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "penstock ") {
		all = append(all, n.Value)
	}
	for _, child := range n.Content {
		all = append(all, scriptsIn(child)...)
	}
	return all
}

func TestDocumentsUseOnlyCommandsAndFlagsThatExist(t *testing.T) {
	t.Parallel()
	found := 0
	for _, d := range documentsForPeople(t) {
		for _, words := range commandsOf(t, d) {
			found++
			if err := checkCommand(words); err != nil {
				t.Errorf("%s: %s: %v", d.name, strings.Join(words, " "), err)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d commands found in the documents", found)
	}
}

// runsAlone reports whether a command of penstock needs neither a cluster nor a forge, and which exit codes are no
// surprise. A rehearsal is played so fast here that its verdict says nothing: scripts of their own hold the verdicts.
func runsAlone(args []string) (codes string, extra []string) {
	if len(args) == 0 || slices.Contains(args, "--cluster") {
		return "", nil
	}
	switch args[0] {
	case "version", "lint", "render", "completion":
		return "0", nil
	case "rehearse":
		if slices.Contains(args, "--trials") {
			return "0", []string{"--trials", "20"}
		}
		return "0,1", []string{"--speed", "60"}
	}
	return "", nil
}

// named is the first line of a block that is a file of the reader's: "# deploy/canary.yaml".
var named = regexp.MustCompile(`^# ([a-z][a-z0-9/.-]*\.yaml)\n`)

// filesOf are the files that the commands of a document find: those that it shows itself, or else the examples.
func filesOf(t *testing.T, d document) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, block := range d.blocks("yaml") {
		if m := named.FindStringSubmatch(block); m != nil {
			files[m[1]] = block
		}
	}
	if len(files) > 0 {
		return files
	}
	for at, from := range map[string]string{
		"canary.yaml": "canary.yaml", "deploy/canary.yaml": "canary.yaml", "deploy/deployment.yaml": "deployment.yaml",
		"templates/errors.yaml": "template.yaml",
	} {
		text, err := os.ReadFile("../../testdata/docs/" + from)
		if err != nil {
			t.Fatal(err)
		}
		files[at] = string(text)
	}
	return files
}

// TestTheCommandsOfDocumentsRun runs what a document says, with the files that it shows.
func TestTheCommandsOfDocumentsRun(t *testing.T) {
	t.Parallel()
	dir, found := t.TempDir(), 0
	once := map[string]bool{} // the same command with the same files runs for one document only
	for _, d := range documentsForPeople(t) {
		var script strings.Builder
		files := filesOf(t, d)
		for _, words := range commandsOf(t, d) {
			args, _ := ours(words)
			codes, extra := runsAlone(args)
			line := strings.Join(append(args, extra...), " ")
			same := line
			if strings.Contains(line, ".yaml") || strings.Contains(line, "/") {
				same = fmt.Sprint(line, files)
			}
			if codes == "" || once[same] {
				continue
			}
			once[same] = true
			fmt.Fprintf(&script, "ends %s '%s'\n", codes, strings.Join(append(args, extra...), "' '"))
			found++
		}
		for name, text := range files {
			fmt.Fprintf(&script, "-- %s --\n%s", name, text)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.TrimSuffix(d.name, ".md")+".txtar"), []byte(script.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found < 12 {
		t.Errorf("only %d commands of documents run without a cluster", found)
	}
	testscript.Run(t, testscript.Params{Dir: dir, Cmds: map[string]func(*testscript.TestScript, bool, []string){"ends": ends},
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "no-kubeconfig"))
			return nil
		}})
}

// ends runs penstock and demands one of several exit codes: "ends 0,1 rehearse".
func ends(ts *testscript.TestScript, _ bool, args []string) {
	code := runPenstock(ts, args[1:])
	if !slices.Contains(strings.Split(args[0], ","), fmt.Sprint(code)) {
		ts.Fatalf("penstock %s exits %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}
