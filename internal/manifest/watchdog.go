package manifest

// WatchdogName names the Lease by which a server tells the runs of a namespace that it watches over their rollouts. It has
// a dot where the names of everything else have a dash, lest it be the lease of a canary called watchdog.
const WatchdogName = "penstock.watchdog"

// WatchdogNeeds lists what a server takes to find the abandoned rollouts of a namespace, and for its page to tell which run
// is at work. What it takes to end one is what its run took; see Subject.Run.
func WatchdogNeeds(namespace string) []Need {
	all := needs(ServedNeeds(namespace))
	all.add("which runs are alive, and that somebody watches over them", unnamed(leaseGVR, namespace), "get", "list", "watch", "create", "update")
	return all
}

// Suspension lists what a run takes to learn that a server watches over it.
func (s *Subject) Suspension() []Need {
	var all needs
	kept := s.Canary.RefOf(leaseGVR, "", WatchdogName)
	all.add("a run suspends only where a server watches over it", named(kept), "get")
	return all
}
