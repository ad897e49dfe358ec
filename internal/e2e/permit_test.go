package e2e

import (
	"slices"
	"time"
)

// roleFlags are the flags of a run that penstock render rbac has as well, since what the run may do depends on them.
var roleFlags = []string{"-n", "--namespace", "-f", "--driver", "--metrics-server", "--provider", "--reach", "--secret-env"}

// permit grants the namespace's user what penstock render rbac prints for a run with these arguments, and nothing else, and
// returns them with the kubeconfig of that user. So every test that starts a run in this way also shows that the role is
// enough. Arguments that name a kubeconfig are left alone.
func (s *scenario) permit(args []string) []string {
	s.t.Helper()
	if s.administers || slices.Contains(args, "--kubeconfig") {
		return args
	}
	flags := []string{"--view", "-o", "json"}
	for i, arg := range args {
		switch {
		case arg == "--uninstall" || arg == "--approvals":
			flags = append(flags, arg)
		case arg == "--watchdog" && args[i+1] == "server":
			flags = append(flags, "--suspend")
		case slices.Contains(roleFlags, arg):
			flags = append(flags, arg, args[i+1])
		}
	}
	s.allow(s.user(), s.tryRenderRBAC(flags...)) // of wrong files nothing: the run has to say so
	return append(slices.Clone(args), "--kubeconfig", s.UserKubeconfig())
}

// administer lets the runs of the scenario do everything from now on: for tests that make hundreds of scenarios, and look at
// what befalls a run and not at what it may do.
func (s *scenario) administer() { s.administers = true }

// permitServer grants the user of the namespace's servers what penstock render server prints, and returns a server's
// arguments that name it.
func (n *Namespace) permitServer() []string {
	n.t.Helper()
	rendered := n.Penstock("render", "server", "-n", n.Name, "--repository", "github:7")
	if rendered.Wait(time.Minute) != 0 {
		n.t.Fatal(rendered.Transcript())
	}
	n.allow(n.server(), rendered.Stdout())
	return []string{"--kubeconfig", n.kubeconfigOf(n.server())}
}
