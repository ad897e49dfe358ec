// Package workload is the codec of the workloads that a rollout moves: which objects belong to a target, what the primary
// and the Services should look like, which revision a pod template is, and how ready a workload is. Nothing here does I/O.
//
// The target is the user's own workload and runs the canary. The primary, `<target>-primary`, is a copy of what the target
// was promoted with last, and gets the traffic between rollouts. Two facts hold for every target:
//
//	TargetRevision(target) == PrimaryRevision(RenderPrimary(target))
//	TargetRevision(as the user wrote it) == TargetRevision(as the API server returns it)
//
// The first makes a copy recognisable, one that Flagger made included. The second keeps a rollout from starting because
// Kubernetes has filled in a default.
//
// A Workload is a live target or primary as data. Each kind has one file and one line in the registry kinds:
//
//	             what is promoted      is ready when                scaled to zero by
//	Deployment   the pod template      its new pods are available   spec.replicas
//	DaemonSet    the pod template      its new pods are available   a node selector that no node fits
//	Service      selector and ports    it has a ready endpoint      nothing: its pods are somebody else's
//
// The Service of Knative is the fourth. It keeps its own history of Revisions, so that the primary is one of them, which an
// annotation of the target names (Refs.Shared), and not a copy: the first fact holds by that name.
//
// The ConfigMaps and Secrets that a pod template refers to are promoted with it (Track): the primary refers to copies of
// its own, `<name>-primary`, which change only in a promotion; their content is a part of the revision; and an annotation
// of the pod template says which content its pods were started with, because a pod does not restart when it changes. That
// annotation goes on the target too, as `kubectl rollout restart` puts one there: scaling to zero and up would have to
// remember somewhere how far it has come, and would leave the users of a canary that is up without one.
package workload
