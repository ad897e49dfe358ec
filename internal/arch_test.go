// Package internal holds the tests of the architecture.
package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/penstock-dev/penstock/"

// kind says what a package may do. Dependencies point from engines to codecs to cores, never back.
type kind int

const (
	core kind = iota
	codec
	engine
	wiring
	tests
)

// packages is the table of the design: every package of the tree has a line here.
var packages = map[string]kind{
	"internal":           tests,
	"internal/canary":    core,
	"internal/rollout":   core,
	"internal/approval":  core,
	"internal/report":    codec,
	"internal/traffic":   codec,
	"internal/workload":  codec,
	"internal/manifest":  codec, // what an admin applies: permissions and the objects that grant them
	"internal/metric":    codec,
	"internal/notify":    codec,
	"internal/trial":     codec,  // rollouts in virtual time, to measure the checks
	"internal/analysis":  engine, // the shared engine of the metrics providers
	"internal/cloud":     engine, // signs requests to AWS and Google
	"internal/forge":     engine, // what GitHub and GitLab show of a rollout
	"internal/kube":      engine,
	"internal/gate":      engine, // webhooks: hooks and gates
	"internal/httpx":     engine,
	"internal/exporter":  engine, // Prometheus metrics of a run
	"internal/loadtest":  engine, // load in process, and the task API of the load tester
	"internal/fleet":     engine, // several canaries in one run; its plan of order is pure
	"internal/runner":    engine,
	"internal/server":    engine, // webhooks, and the gate API of Flagger
	"internal/follow":    engine, // follows a Flagger controller's rollout
	"internal/reach":     engine, // the Services of a cluster, from outside of it
	"internal/rehearsal": engine,
	"internal/tape":      tests, // what tests asked of the fake forges
	"internal/race":      tests, // whether the race detector is at work
	"internal/cli":       wiring,
	"cmd/penstock":       wiring,
}

// impure are the imports that give a core or codec a clock, an environment, files, sockets, logging or a context.
var impure = []string{"context", "log", "log/slog", "net", "net/http", "os", "os/exec", "os/signal", "syscall", "k8s.io/utils/clock"}

// impureCalls are the functions of pure packages that look at the world.
var impureCalls = map[string][]string{"time": {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Sleep", "Tick"}}

func TestDependenciesPointFromEnginesToCores(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, pkg string, file *ast.File, _ *token.FileSet) {
		from := packages[pkg]
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if (from == core || from == codec) && slices.Contains(impure, path) {
				t.Errorf("%s is pure and imports %s", pkg, path)
			}
			target, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			if to := packages[target]; to > from || (to == wiring && from != wiring) {
				t.Errorf("%s imports %s: dependencies point from engines to codecs to cores", pkg, target)
			}
		}
	})
}

func TestCoresAndCodecsHaveNoClock(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, pkg string, file *ast.File, files *token.FileSet) {
		if k := packages[pkg]; k != core && k != codec {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := call.X.(*ast.Ident); ok && slices.Contains(impureCalls[x.Name], call.Sel.Name) {
				t.Errorf("%s: %s.%s in a pure package", files.Position(call.Pos()), x.Name, call.Sel.Name)
			}
			return true
		})
	})
}

func TestNobodyMakesAContextOutOfNothing(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, pkg string, file *ast.File, files *token.FileSet) {
		if pkg == "cmd/penstock" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := call.X.(*ast.Ident); ok && x.Name == "context" && (call.Sel.Name == "TODO" || call.Sel.Name == "Background") {
					t.Errorf("%s: context.%s", files.Position(call.Pos()), call.Sel.Name)
				}
			}
			if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: init function", files.Position(f.Pos()))
			}
			return true
		})
	})
}

func TestFilesAreOfReadableLength(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, _ string, file *ast.File, files *token.FileSet) {
		if f := files.File(file.Pos()); f.LineCount() > 400 {
			t.Errorf("%s has %d lines; split it", f.Name(), f.LineCount())
		}
	})
}

// eachFile parses every file of the module that is not a test, and fails on a package that the table lacks.
func eachFile(t *testing.T, visit func(*testing.T, string, *ast.File, *token.FileSet)) {
	t.Helper()
	seen := map[string]bool{}
	for _, root := range []string{"../internal", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && path != root {
				if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
					return filepath.SkipDir // a module of its own
				}
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
			if _, known := packages[pkg]; !known {
				t.Errorf("%s: the table of packages lacks %s", path, pkg)
			}
			seen[pkg] = true
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			visit(t, pkg, file, files)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for pkg, k := range packages {
		if !seen[pkg] && k != tests {
			t.Errorf("the table of packages has %s, which does not exist", pkg)
		}
	}
}
