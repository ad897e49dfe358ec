package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with")

// exits runs penstock and demands its exit code: "exits 2 lint bad.yaml". What it prints is compared as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := runPenstock(ts, args[1:]); code != want {
		ts.Fatalf("penstock %s exits %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// runPenstock returns the exit code.
func runPenstock(ts *testscript.TestScript, args []string) int {
	err := ts.Exec("penstock", args...)
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run penstock: %v", err)
	}
	if err == nil {
		return 0
	}
	return exit.ExitCode()
}

// expandFile puts the values of the script's variables into a file: "expand canary.yaml".
func expandFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// jsonDocument demands that a file, or stdout, holds one JSON document, and that its fields have the values:
// "json stdout outcome=promoted steps.0.weight=10". A field without a value has to be there.
func jsonDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: json FILE FIELD[=VALUE]...")
	}
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	var document any
	ts.Check(decoder.Decode(&document))
	if decoder.More() {
		ts.Fatalf("%s holds more than one JSON document", args[0])
	}
	for _, arg := range args[1:] {
		path, want, valued := strings.Cut(arg, "=")
		got, found := field(document, strings.Split(path, "."))
		switch text := fmt.Sprint(got); {
		case !found:
			ts.Fatalf("%s has no %s", args[0], path)
		case valued && text != want:
			ts.Fatalf("%s is %s, want %s", path, text, want)
		}
	}
}

// field looks a dotted path up: names of fields, and places in lists.
func field(document any, path []string) (any, bool) {
	for _, name := range path {
		switch at := document.(type) {
		case map[string]any:
			value, found := at[name]
			if !found {
				return nil, false
			}
			document = value
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			document = at[i]
		default:
			return nil, false
		}
	}
	return document, true
}

// eventually waits until a file, such as the output of a command in the background, contains a text.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: eventually FILE TEXT")
	}
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && bytes.Contains(text, []byte(args[1])) {
			return
		}
		select {
		case <-limit:
			ts.Fatalf("%s does not contain %q but\n%s", args[0], args[1], text)
		case <-tick.C:
		}
	}
}
