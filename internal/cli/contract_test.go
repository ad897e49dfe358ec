package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/penstock-dev/penstock/internal/canary"
)

func commandTree() *cobra.Command { return (&App{}).root() }

// everyCommand lists the commands below one, those of commands included.
func everyCommand(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, below := range c.Commands() {
		all = append(append(all, below), everyCommand(below)...)
	}
	return all
}

func TestEveryFlagAndEveryCommandIsExplained(t *testing.T) {
	t.Parallel()
	for _, c := range everyCommand(commandTree()) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text %q is no heading", c.Name(), c.Short)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: %q explains nothing, or ends with a full stop", c.Name(), f.Name, f.Usage)
			}
		})
	}
}

// document is one of the texts for people.
type document struct{ name, text string }

func documentsForPeople(t *testing.T) []document {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []document
	for _, path := range append(paths, "../../README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document{filepath.Base(path), string(text)})
	}
	return all
}

var codeBlock = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// blocks returns the code blocks of a language.
func (d document) blocks(language string) []string {
	var all []string
	for _, m := range codeBlock.FindAllStringSubmatch(d.text, -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

var invocation = regexp.MustCompile(`(?m)(?:^|\s|go run \./cmd/)penstock((?: [^\n#|;&` + "`" + `]*)?)`)

func TestDocumentsUseOnlyCommandsAndFlagsThatExist(t *testing.T) {
	t.Parallel()
	found := 0
	for _, d := range documentsForPeople(t) {
		for _, block := range append(d.blocks("sh"), d.blocks("yaml")...) {
			for _, m := range invocation.FindAllStringSubmatch(block, -1) {
				args := strings.Fields(strings.ReplaceAll(m[1], `"`, ""))
				if len(args) == 0 {
					continue
				}
				found++
				command, rest, err := commandTree().Find(args)
				if err == nil {
					err = command.ParseFlags(rest)
				}
				if err == nil {
					err = command.ValidateArgs(command.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: penstock %s: %v", d.name, strings.Join(args, " "), err)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands found in the documents", found)
	}
}

var mentioned = regexp.MustCompile("`[^`\n]*?(--[a-z][a-z-]*)[^`\n]*`")

func TestDocumentsMentionOnlyFlagsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"--help": true}
	for _, c := range everyCommand(commandTree()) {
		c.Flags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
	}
	for _, d := range documentsForPeople(t) {
		for _, m := range mentioned.FindAllStringSubmatch(codeBlock.ReplaceAllString(d.text, ""), -1) {
			if !known[m[1]] {
				t.Errorf("%s: %s is no flag of penstock", d.name, m[0])
			}
		}
	}
}

func TestTheYAMLOfDocumentsIsValid(t *testing.T) {
	t.Parallel()
	for _, d := range documentsForPeople(t) {
		if d.name == "adding-a-router.md" {
			continue // its router does not exist; the page is followed by a test of its own
		}
		for _, block := range d.blocks("yaml") {
			decoder := yaml.NewDecoder(strings.NewReader(block))
			var any any
			if err := decoder.Decode(&any); err != nil {
				t.Errorf("%s: %v in\n%s", d.name, err, block)
			}
			if !strings.Contains(block, "kind: Canary") {
				continue
			}
			set, err := canary.Parse([]canary.File{{Name: d.name, Data: []byte(block)}})
			if err != nil {
				t.Errorf("%s: %v", d.name, err)
				continue
			}
			for _, c := range set.Canaries {
				own := func(_, name string) (*canary.MetricTemplate, bool) {
					for _, template := range set.Templates {
						if template.Name == name {
							return template, true
						}
					}
					return nil, false
				}
				if _, err := compile(c, planInputs{provider: "gatewayapi:v1", templates: own}); err != nil {
					t.Errorf("%s: %v", d.name, err)
				}
			}
		}
	}
}

func TestEveryInputOfAnActionReachesItsFlag(t *testing.T) {
	t.Parallel()
	in := &runInputs{}
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	bind(flags, in)
	env := map[string]string{
		"INPUT_FILENAME": "a.yaml\n\n  b.yaml \n", "PENSTOCK_FILENAME": "c.yaml", "PENSTOCK_METRICS_SERVER": "http://prometheus",
		"INPUT_METRICS-SERVER": "http://first", "INPUT_DRY-RUN": "true", "INPUT_NAMESPACE": "shop",
		"INPUT_KUBECONFIG-DATA": "kind: Config\n  indented\n\n", "INPUT_MAX-PARALLEL": " 2\n",
	}
	if err := flags.Parse([]string{"-n", "flag"}); err != nil {
		t.Fatal(err)
	}
	if err := fromEnvironment(flags, func(name string) string { return env[name] }); err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{strings.Join(in.Files, ","), in.MetricsServer, in.Namespace}, " ")
	if in.KubeconfigData != "kind: Config\n  indented" || in.MaxParallel != 2 {
		t.Errorf("the kubeconfig is %q, max-parallel %d", in.KubeconfigData, in.MaxParallel)
	}
	if want := "a.yaml,b.yaml http://first flag"; got != want || !in.DryRun {
		t.Errorf("inputs are %q, dry run %v; want %q, true", got, in.DryRun, want)
	}
}

func TestPlainFoldsWaits(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewPlain(&out)
	p.Send(liveSnapshot(1))
	for _, reason := range []string{"the canary is not ready: a", "the canary is not ready: b"} {
		s := liveSnapshot(1)
		s.Status.Reason.Code, s.Reason = "CanaryNotReady", reason
		p.Send(s)
	}
	p.Send(liveSnapshot(2))
	if text := out.String(); strings.Contains(text, "not ready") || !strings.Contains(text, "step 2/5") {
		t.Errorf("a wait that was over at once has a line:\n%s", text)
	}
	last := liveSnapshot(2)
	last.Status.Reason.Code, last.Reason = "CanaryNotReady", "the canary is not ready: c"
	p.Send(last)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 3 || !strings.Contains(text, "not ready: c") {
		t.Errorf("the last words of a wait are missing:\n%s", text)
	}
}
