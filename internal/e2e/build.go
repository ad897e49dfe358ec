package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// kubernetesVersion is what the binaries report: clients refuse a server whose version they cannot parse.
const kubernetesVersion = "v1.37.2"

// A tool is a program that is built from a module, in the directory whose go.mod pins its version. Programs with
// requirements of their own have a go.mod of their own, so that they do not pull on Kubernetes' versions.
type tool struct {
	name, module, pkg, ldflags string
}

func kubernetesTool(name string) tool {
	const at = "k8s.io/component-base/version."
	return tool{
		name: name, module: ".", pkg: "k8s.io/kubernetes/cmd/" + name,
		ldflags: "-X " + at + "gitVersion=" + kubernetesVersion + " -X " + at + "gitMajor=1 -X " + at + "gitMinor=37",
	}
}

// controlPlane lists what Start needs, in no particular order.
func controlPlane() []tool {
	return []tool{
		{name: "etcd", module: "tools/etcd", pkg: "go.etcd.io/etcd/server/v3"},
		{name: "kwok", module: "tools/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", ldflags: "-X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0"},
		kubernetesTool("kube-apiserver"), kubernetesTool("kube-controller-manager"), kubernetesTool("kube-scheduler"),
	}
}

// built has one entry per tool that this process has asked for: two tests that want the same one build it once.
var built sync.Map

// build returns the path of the tool's binary in the user's cache directory, and builds it first when it is not there.
func (t tool) build(ctx context.Context) (string, error) {
	once, _ := built.LoadOrStore(t.name, sync.OnceValues(func() (string, error) { return t.make(ctx) }))
	return once.(func() (string, error))()
}

// make builds what is not in the cache. The directory's name is a hash of everything that decides what the binary does, so
// a hit needs no check.
func (t tool) make(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory for %s: %w", t.name, err)
	}
	key, err := t.key()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "penstock-e2e", t.name+"-"+key, t.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory of %s: %w", t.name, err)
	}
	begin := time.Now()
	fmt.Fprintf(os.Stderr, "e2e: build %s (minutes, the first time)\n", t.name)
	// Built aside and renamed: a second test process, or a killed one, never sees half a binary.
	partial := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := goBuild(ctx, t.module, "-ldflags", t.ldflags, "-o", partial, t.pkg); err != nil {
		return "", err
	}
	t.prune(filepath.Dir(filepath.Dir(path)))
	fmt.Fprintf(os.Stderr, "e2e: built %s in %s\n", t.name, time.Since(begin).Round(time.Second))
	return path, os.Rename(partial, path)
}

// prune removes binaries of this tool that were built more than a day ago: each is a hundred megabytes, and every change
// of a go.mod makes new ones. What another checkout still needs is linked again in seconds.
func (t tool) prune(cache string) {
	old, _ := filepath.Glob(filepath.Join(cache, t.name+"-????????????"))
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(dir) // a cache that cannot be cleaned is still a cache
		}
	}
}

func (t tool) key() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH, t.pkg, t.ldflags)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(t.module, name))
		if err != nil {
			return "", fmt.Errorf("read the versions of %s: %w", t.name, err)
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// goBuild runs go build in dir. The error carries what the compiler said.
func goBuild(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", args[len(args)-1], err, out)
	}
	return nil
}

// moduleDir returns where the go command keeps the files of a module at the version that dir's go.mod pins.
func moduleDir(ctx context.Context, dir, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &got); err != nil || jsonErr != nil || got.Dir == "" {
		return "", fmt.Errorf("find module %s: %w %s", module, firstOf(err, jsonErr), strings.TrimSpace(got.Error))
	}
	return got.Dir, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("no directory")
}
