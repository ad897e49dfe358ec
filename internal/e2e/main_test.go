package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// cluster is shared by all tests: they run in namespaces of their own.
var cluster *Cluster

func TestMain(m *testing.M) {
	if os.Getenv(orphanMaker) != "" {
		makeOrphan()
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// Tests wait for the cluster far more than they compute, so many run at once, unless told otherwise.
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", "16"); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
	}
	ctx := context.Background()
	if _, err := buildControlPlane(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	begin := time.Now()
	var err error
	if cluster, err = Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "e2e: the control plane was up after %s\n", time.Since(begin).Round(10*time.Millisecond))
	code := m.Run()
	if err := cluster.Down(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		cluster.PrintLogs(os.Stderr, 40)
		code = max(code, 1)
	}
	if err := cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	return code
}

func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}
