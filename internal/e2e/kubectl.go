package e2e

import (
	"context"
	"time"
)

// Kubectl runs kubectl in this namespace as its administrator and waits for its end. It is built when the first test
// asks for it.
func (n *Namespace) Kubectl(args ...string) *Run {
	n.t.Helper()
	p := &n.cluster.programs.kubectl
	p.once.Do(func() {
		p.path, p.err = kubernetesTool("kubectl").build(context.WithoutCancel(n.t.Context()))
	})
	if p.err != nil {
		n.t.Fatal(p.err)
	}
	run := n.Start(p.path, nil, args...)
	run.Wait(time.Minute)
	return run
}
