package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// makeDir makes the directory of a control plane, and removes those of test processes that died before they could: each
// has a preallocated etcd log of 64 MB.
func makeDir() (string, error) {
	pattern := filepath.Join(os.TempDir(), "penstock-e2e-*")
	left, _ := filepath.Glob(pattern)
	for _, dir := range left {
		text, err := os.ReadFile(filepath.Join(dir, "owner"))
		if err != nil {
			continue // being made, or not ours to judge
		}
		owner, err := strconv.Atoi(string(text))
		if err == nil && errors.Is(syscall.Kill(owner, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // the next start tries again
		}
	}
	dir, err := os.MkdirTemp("", filepath.Base(pattern))
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "owner"), []byte(strconv.Itoa(os.Getpid())), 0o600)
}
