package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/loadtest"
)

// inProcess are the webhooks of a canary whose tasks the run does itself.
func inProcess(c *canary.Canary) []*canary.Webhook {
	var all []*canary.Webhook
	if c.Spec.Analysis == nil {
		return nil
	}
	for i := range c.Spec.Analysis.Webhooks {
		if w := &c.Spec.Analysis.Webhooks[i]; w.InProcess() {
			all = append(all, w)
		}
	}
	return all
}

// checkLoads checks the tasks that a run does itself. It starts none.
func checkLoads(c *canary.Canary, shell bool) error {
	tester, err := loadtest.New(testerOptions(shell))
	if err != nil {
		return err
	}
	var problems []error
	for _, w := range inProcess(c) {
		info, err := tester.Inspect(taskOf(c, w))
		if err != nil {
			problems = append(problems, fmt.Errorf("webhook %q: %w", w.Name, err))
			continue
		}
		if w.EffectiveType() != canary.HookRollout && info.Length >= w.EffectiveTimeout() {
			problems = append(problems, fmt.Errorf("webhook %q: timeout is %s, and the load takes %s; a %s webhook waits for its end, so that the timeout must be longer",
				w.Name, w.EffectiveTimeout(), info.Length, w.EffectiveType()))
		}
	}
	return errors.Join(problems...)
}

// unproxied lists the load that the proxy of the API server cannot carry to a Service: it takes the header Authorization for
// its own, and passes no Host header on. Sent nevertheless, it would be load of something else.
func unproxied(c *canary.Canary) error {
	tester, err := loadtest.New(testerOptions(true))
	if err != nil {
		return err
	}
	var problems []error
	for _, w := range inProcess(c) {
		info, err := tester.Inspect(taskOf(c, w))
		if err != nil || len(servicesOf(info.Targets)) == 0 {
			continue // what is wrong with it is said elsewhere
		}
		if info.Authorized {
			problems = append(problems, fmt.Errorf("webhook %q: its load has credentials, and the proxy of the API server takes the "+
				"header Authorization for its own and passes none on; use --reach port-forward", w.Name))
		}
		if info.GRPC {
			problems = append(problems, fmt.Errorf("webhook %q: its load is gRPC, and the proxy of the API server carries none; use "+
				"--reach port-forward", w.Name))
		}
		if info.Host != "" {
			problems = append(problems, fmt.Errorf("webhook %q: its load asks for the host %q, and the proxy of the API server passes no "+
				"Host header on; use --reach port-forward", w.Name, info.Host))
		}
	}
	return errors.Join(problems...)
}

// taskOf is what a webhook asks for. A file may leave the namespace of its canary to the command line.
func taskOf(c *canary.Canary, w *canary.Webhook) loadtest.Payload {
	namespace := c.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return loadtest.Payload{Name: c.Name, Namespace: namespace, Metadata: w.Metadata}
}

// loadTargets are the URLs that the load of a canary is sent to.
func loadTargets(c *canary.Canary) []string {
	tester, err := loadtest.New(testerOptions(true))
	if err != nil {
		return nil
	}
	var all []string
	for _, w := range inProcess(c) {
		if info, err := tester.Inspect(taskOf(c, w)); err == nil {
			all = append(all, info.Targets...)
		}
	}
	return all
}

// openLoad prepares the load of a run, and ends it with what it returns.
func (d *drive) openLoad(ctx context.Context) (closeLoad func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	d.loads, err = d.openLoads(ctx)
	if err != nil || d.loads == nil {
		cancel()
		return func() {}, err
	}
	windows := d.loads.windows
	go func() { // a run that is stopped has seconds to reach its end, and none for load
		select {
		case <-d.stop:
			windows.Stop()
		case <-ctx.Done():
		}
	}()
	return func() {
		d.loads.windows.Close(loadClose)
		cancel()
		d.loads.tester.Wait()
	}, nil
}
