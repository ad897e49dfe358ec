package cli

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/klog/v2"

	"github.com/penstock-dev/penstock/internal/race"
)

func TestMain(m *testing.M) {
	// The flag on the command line is read later, and wins.
	scripts := "8" // at once: more than there are processors, since they mostly wait for time to pass
	if race.Enabled {
		scripts = "5" // then they are bound by the processors
	}
	if err := flag.Set("test.parallel", scripts); err != nil {
		panic(err)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // the servers of the scripts live here, and a quarter of their time would go into collecting garbage
	}
	testscript.Main(taped{m}, map[string]func(){"penstock": penstock, finalizeName: penstock})
}

// penstock is the program as scripts run it, each time in a process of its own.
func penstock() {
	klog.SetLogger(logr.Discard())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stop := make(chan struct{})
	go func() {
		<-signals
		close(stop)
	}()
	app := App{Version: "1.2.3", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Stop: stop}
	os.Exit(app.Run(context.Background(), Arguments(os.Args)))
}

// TestScripts runs testdata/script. What a script can do beyond testscript's own commands: see clusterCommands and exits.
func TestScripts(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../../testdata/canary")
	if err != nil {
		t.Fatal(err)
	}
	commands := clusterCommands()
	maps.Copy(commands, forgeCommands())
	maps.Copy(commands, serveCommands())
	commands["exits"] = exits
	commands["expand"] = expandFile
	commands["step"] = actionStep
	commands["container"] = container
	commands["json"] = jsonDocument
	commands["eventually"] = eventually
	image := stepImage(t.TempDir())
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script", UpdateScripts: *update, RequireUniqueNames: true, Cmds: commands,
		Condition: func(name string) (bool, error) {
			if name != "race" {
				return false, fmt.Errorf("condition %q is not known", name)
			}
			return race.Enabled, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("CANARY", examples)
			env.Setenv("GOGC", "400")                                             // likewise
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "no-kubeconfig")) // never the one of who runs the tests
			env.Values[clusterKey{}] = &scriptCluster{}
			env.Values[imageKey{}] = image
			env.Values[forgeKey{}] = &scriptForge{tape: requests}
			return nil
		},
	})
}
