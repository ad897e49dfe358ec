package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestGatesInAFileOutliveTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gates")
	open := canary.Gate{Namespace: "test", Name: "podinfo"}
	closed := canary.Gate{Namespace: "test", Name: "other"}
	rollback := canary.Gate{Namespace: "test", Name: "podinfo", Rollback: true}
	f := gateFile(t, path)
	for gate, state := range map[canary.Gate]bool{open: true, closed: true} {
		if err := f.Set(t.Context(), gate, state); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Set(t.Context(), closed, false); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), "another process has the file open") {
		t.Errorf("two processes with one file: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = gateFile(t, path)
	for gate, want := range map[canary.Gate]bool{open: true, closed: false, rollback: false, {Namespace: "prod", Name: "podinfo"}: false} {
		if got, err := f.Get(t.Context(), gate); err != nil || got != want {
			t.Errorf("%s: open is %v, %v", gate, got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the file: %v %v", info.Mode(), err)
	}
}

func TestAGateFileThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gates")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenFile(filepath.Join(path, "below")); err == nil {
		t.Error("a file below a file")
	}
}

func TestGatesInAFileThatIsClosedAreUnknown(t *testing.T) {
	t.Parallel()
	f := gateFile(t, filepath.Join(t.TempDir(), "gates"))
	gate := canary.Gate{Namespace: "test", Name: "podinfo"}
	if err := f.Set(t.Context(), gate, true); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if open, err := f.Get(t.Context(), gate); err == nil || open {
		t.Errorf("open is %v, %v", open, err)
	}
	if err := f.Set(t.Context(), gate, false); err == nil {
		t.Error("a write into nothing")
	}
}

func TestManyOpenGatesAtOnce(t *testing.T) {
	t.Parallel()
	f := gateFile(t, filepath.Join(t.TempDir(), "gates"))
	var writing sync.WaitGroup
	for i := range 20 {
		writing.Go(func() {
			if err := f.Set(t.Context(), canary.Gate{Namespace: "test", Name: fmt.Sprint("c", i)}, true); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	for i := range 20 {
		if open, err := f.Get(t.Context(), canary.Gate{Namespace: "test", Name: fmt.Sprint("c", i)}); err != nil || !open {
			t.Errorf("c%d: open is %v, %v", i, open, err)
		}
	}
}
