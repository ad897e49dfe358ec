// Command penstock runs progressive delivery inside CI. See internal/cli for what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/penstock-dev/penstock/internal/cli"
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	klog.SetLogger(logr.Discard()) // what the client library logs is said by Penstock in its own words
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stop := make(chan struct{})
	go func() {
		<-signals
		close(stop) // later signals change nothing: the safe end is under way
	}()
	app := cli.App{
		Version: version, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Stop: stop,
	}
	os.Exit(app.Run(context.Background(), cli.Arguments(os.Args)))
}
