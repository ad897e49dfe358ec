// Package e2e runs penstock against a real Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler, with kwok in the place of the kubelets. All of them are built from Go modules and started by the tests
// on free ports of the loopback address; nothing else is needed, neither containers nor root.
//
//	TestMain ── Start ──┬─ etcd
//	                    ├─ kube-apiserver ── audit log ──────────────── Namespace.Requests
//	                    ├─ kube-controller-manager, kube-scheduler
//	                    ├─ kwok: two nodes, pods that behave as their image's tag says
//	                    └─ Gateway: a simulated gateway controller in the test process
//
// One cluster serves all tests. Each test takes a namespace of its own (Cluster.Namespace) and does everything through
// it: workloads, kubeconfig files, penstock processes, the recorder, request counts.
//
// The rollouts are in files named after what happens in them (promote_test.go, rollback_test.go, resume_test.go and so
// on). Each runs the penstock binary as a user would, on a scenario (scenario_test.go), and judges every moment of the
// namespace by what must always hold (invariant_test.go). figures_test.go prints figures; run it alone to compare them.
//
// The first build of the binaries takes minutes (run it with -timeout 40m on a cold build cache) and is kept in the
// user's cache directory, keyed by the versions that go into it.
package e2e
