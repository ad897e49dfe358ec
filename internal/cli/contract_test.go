package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
