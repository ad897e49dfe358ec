// Package workload is the codec of the workloads that a rollout moves: which objects belong to a target, what the primary
// and the Services should look like, which revision a pod template is, and how ready a workload is. Nothing here does I/O.
//
// The target is the user's own Deployment and runs the canary. The primary, `<target>-primary`, is a copy of the target's
// last promoted pod template and gets the traffic between rollouts. Two facts hold for every target:
//
//	Revision(target.Spec.Template) == PrimaryRevision(RenderPrimary(target))
//	Revision(as the user wrote it) == Revision(as the API server returns it)
//
// The first makes a copy recognisable, one that Flagger made included. The second keeps a rollout from starting because
// Kubernetes has filled in a default.
package workload
