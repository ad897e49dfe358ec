package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/race"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// TestEveryRouterIsRehearsed rolls out a healthy and a failing version with every router, by the router's own objects
// and metrics. The bound of the latency is far away: on a busy machine an answer takes its time, and at 15 times the speed
// it takes 15 times as long.
func TestEveryRouterIsRehearsed(t *testing.T) {
	t.Parallel()
	if race.Enabled {
		t.Skip("runs against real time")
	}
	const dir = "../../testdata/canary/rehearse"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files, names []string
	for _, entry := range entries {
		files = append(files, entry.Name())
	}
	for _, router := range traffic.List() {
		names = append(names, strings.ReplaceAll(router, ":", "-")+".yaml")
	}
	slices.Sort(names) // a colon and a dash are in different places
	if diff := cmp.Diff(names, files); diff != "" {
		t.Errorf("canaries in %s (-routers +files):\n%s", dir, diff)
	}
	for _, file := range files {
		for fault, want := range map[string]int{"": ExitOK, "errors=30%": ExitRolledBack} {
			t.Run(file+" "+fault, func(t *testing.T) {
				t.Parallel()
				args := []string{"rehearse", "--speed", "15", "-f", filepath.Join(dir, file)}
				if fault != "" {
					args = append(args, "--fault", fault)
				}
				said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
				if err != nil {
					t.Fatal(err)
				}
				defer said.Close()
				var out bytes.Buffer
				app := App{Version: "1.2.3", Stdin: strings.NewReader(""), Stdout: &out, Stderr: said, Getenv: func(string) string { return "" }}
				if code := app.Run(context.Background(), args); code != want {
					lines, _ := os.ReadFile(said.Name())
					t.Errorf("exit code %d, want %d\n%s\n%s", code, want, lines, &out)
				}
			})
		}
	}
}
