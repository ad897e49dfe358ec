package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// startWithin bounds the start of the control plane, without the build of its binaries.
const startWithin = 90 * time.Second

// A Cluster is a running control plane with two simulated nodes.
type Cluster struct {
	Config  *rest.Config // of the harness, which may do everything and is not counted by Requests
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	Gateway *Gateway

	layout
	ca        *authority
	issuer    *issuer // of the id tokens that the API server trusts
	spawner   *spawner
	processes []*process // in the order of their start
	down      context.Context
	fail      context.CancelCauseFunc
	crds      crdRoom
	programs  programs
}

// Start builds what is missing, starts a control plane and waits until a workload can run on it. Its files are kept in
// a new temporary directory until Stop.
func Start(ctx context.Context) (*Cluster, error) {
	binaries, err := buildControlPlane(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for range 3 { // a port can be taken between its choice and its use
		c, err := startOnce(ctx, binaries)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func buildControlPlane(ctx context.Context) (map[string]string, error) {
	var mu sync.Mutex
	binaries := map[string]string{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1) // one build uses every core already
	for _, tool := range controlPlane() {
		group.Go(func() error {
			path, err := tool.build(ctx)
			mu.Lock()
			defer mu.Unlock()
			binaries[tool.name] = path
			return err
		})
	}
	return binaries, group.Wait()
}

func startOnce(ctx context.Context, binaries map[string]string) (*Cluster, error) {
	c, err := newCluster()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("the control plane was not up in %s", startWithin))
	defer cancel()
	defer context.AfterFunc(c.down, cancel)()
	if err := c.up(ctx, binaries); err != nil {
		if cause := context.Cause(c.down); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		err = fmt.Errorf("start the control plane: %w\n%s", err, c.tails(15))
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func newCluster() (*Cluster, error) {
	dir, err := makeDir()
	if err != nil {
		return nil, fmt.Errorf("make the control plane's directory: %w", err)
	}
	c := &Cluster{layout: layout{dir: dir}, spawner: newSpawner()}
	c.down, c.fail = context.WithCancelCause(context.Background())
	c.programs.dir = dir
	if c.ca, err = newAuthority(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if c.issuer, err = startIssuer(c.ca); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if err := c.pickPorts(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if err := c.prepare(c.ca, c.issuer); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// up starts the components, each as soon as what it needs answers.
func (c *Cluster) up(ctx context.Context, binaries map[string]string) error {
	if err := c.connect(); err != nil {
		return err
	}
	if err := c.run(binaries["etcd"], c.etcdArgs()); err != nil {
		return err
	}
	if err := c.run(binaries["kube-apiserver"], c.apiServerArgs()); err != nil {
		return err
	}
	if err := writeStages(ctx, c.path("stages.yaml")); err != nil {
		return err
	}
	if err := await(ctx, "the API server to be ready", c.ready); err != nil {
		return err
	}
	for name, args := range map[string][]string{
		"kube-controller-manager": c.controllerManagerArgs(), "kube-scheduler": c.schedulerArgs(), "kwok": c.kwokArgs(),
	} {
		if err := c.run(binaries[name], args); err != nil {
			return err
		}
	}
	return c.furnish(ctx)
}

// furnish puts into the empty cluster what every test finds there.
func (c *Cluster) furnish(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.addNodes(ctx) })
	group.Go(func() error { return c.awaitControllers(ctx) })
	group.Go(func() error {
		if err := c.installGatewayAPI(ctx); err != nil {
			return err
		}
		var err error
		c.Gateway, err = startGateway(c.down, c.Dynamic)
		return err
	})
	return group.Wait()
}

func (c *Cluster) connect() error {
	user, err := c.ca.user("e2e:harness", "system:masters")
	if err != nil {
		return err
	}
	config := *c.kubeconfig(c.ca, user, "default").Config
	if c.Config, err = clientcmd.NewDefaultClientConfig(config, nil).ClientConfig(); err != nil {
		return fmt.Errorf("make the client of the harness: %w", err)
	}
	c.Config.QPS, c.Config.UserAgent, c.Config.WarningHandler = -1, "e2e-harness", rest.NoWarnings{}
	if c.Kube, err = kubernetes.NewForConfig(c.Config); err != nil {
		return fmt.Errorf("make the client of the harness: %w", err)
	}
	c.Dynamic, err = dynamic.NewForConfig(c.Config)
	return err
}

func (c *Cluster) ready(ctx context.Context) error {
	return c.Kube.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// run starts a component and declares the cluster down when it ends before Stop.
func (c *Cluster) run(binary string, args []string) error {
	p, err := startProcess(c.spawner, c.dir, binary, args)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	go p.watch(c.down, c.fail)
	return nil
}

// Down returns why the cluster is down: which component has ended unasked. It is nil while all run.
func (c *Cluster) Down() error { return context.Cause(c.down) }

// Stop ends all processes and removes all files. The order is that of the start, reversed: without etcd, the API server
// hangs on its way out.
func (c *Cluster) Stop() error {
	c.fail(errors.New("the control plane was stopped"))
	if c.Gateway != nil {
		c.Gateway.wait()
	}
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].stop(3 * time.Second)
	}
	if c.issuer != nil {
		c.issuer.stop()
	}
	c.spawner.close()
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("remove the control plane's directory: %w", err)
	}
	return nil
}

// PrintLogs writes the end of every component's log.
func (c *Cluster) PrintLogs(out io.Writer, lines int) { fmt.Fprintln(out, c.tails(lines)) }

func (c *Cluster) tails(lines int) string {
	var text string
	for _, p := range c.processes {
		text += fmt.Sprintf("--- %s (%s)\n%s\n", p.name, filepath.Base(p.log), p.tail(lines))
	}
	return text
}
