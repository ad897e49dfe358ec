package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTheClusterRunsAWorkloadThatIsReady(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	ns.App("podinfo", "podinfo:1.0.0", 2)
	ns.AwaitReady("podinfo")
	pod := ns.AwaitPod("podinfo", "with an address", func(pod corev1.Pod) bool { return pod.Status.PodIP != "" })
	if pod.Spec.NodeName == "" {
		t.Errorf("pod %s is ready on no node", pod.Name)
	}
	ns.SetImage("podinfo", "podinfo:2.0.0")
	ns.AwaitReady("podinfo")
}

func TestPodsFailAsTheirImageTagSays(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]struct {
		phase  corev1.PodPhase
		reason string
	}{
		"pending":        {corev1.PodPending, "ContainerCreating"},
		"badimage":       {corev1.PodPending, "ImagePullBackOff"},
		"crash":          {corev1.PodRunning, "CrashLoopBackOff"},
		"2.0.0-badimage": {corev1.PodPending, "ImagePullBackOff"},
		"dies-1":         {corev1.PodRunning, "CrashLoopBackOff"},
	} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			ns := cluster.Namespace(t)
			ns.App("podinfo", "podinfo:"+tag, 1)
			pod := ns.AwaitPod("podinfo", "with "+want.reason, func(pod corev1.Pod) bool {
				return len(pod.Status.ContainerStatuses) == 1 && waiting(pod.Status.ContainerStatuses[0]) == want.reason
			})
			if pod.Status.Phase != want.phase {
				t.Errorf("phase is %s, want %s", pod.Status.Phase, want.phase)
			}
			if status := pod.Status.ContainerStatuses[0]; status.Ready {
				t.Error("the container counts as ready")
			} else if tag != "pending" && !strings.Contains(status.State.Waiting.Message, "podinfo") {
				t.Errorf("the message %q does not name what failed", status.State.Waiting.Message)
			}
		})
	}
}

func TestASlowPodBecomesReadyWhenItsTimeHasPassed(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	ns.App("podinfo", "podinfo:2.0.0-slow-2", 1)
	ns.AwaitReady("podinfo")
	pod := ns.AwaitPod("podinfo", "that is running", func(pod corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning })
	for _, condition := range pod.Status.Conditions {
		if took := condition.LastTransitionTime.Sub(pod.CreationTimestamp.Time); condition.Type == corev1.PodReady && took.Seconds() < 1 {
			t.Errorf("ready after %s", took)
		}
	}
}

func TestADyingPodIsReadyFirst(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	record := ns.Record()
	ns.App("podinfo", "podinfo:dies-2", 1)
	ns.AwaitPod("podinfo", "that has died", func(pod corev1.Pod) bool {
		return len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].RestartCount > 0
	})
	ready := false
	record.Replay(func(m Moment) {
		if d := m.Object("Deployment", "podinfo"); d != nil {
			ready = ready || readyReplicas(d) == 1
		}
	})
	if !ready {
		t.Error("the deployment never had a ready replica")
	}
}

// orphanMaker is the environment variable that turns the test binary into a process that starts a child and is killed.
const orphanMaker = "PENSTOCK_E2E_MAKE_ORPHAN"

func makeOrphan() {
	p, err := startProcess(newSpawner(), os.Getenv(orphanMaker), "/bin/sleep", []string{"600"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(p.cmd.Process.Pid)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		os.Exit(1)
	}
	select {}
}

func TestStopLeavesNoProcessAndNoFile(t *testing.T) {
	t.Parallel()
	other, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range other.processes {
		pids = append(pids, p.cmd.Process.Pid)
	}
	if len(pids) != 5 {
		t.Errorf("%d components run, want 5", len(pids))
	}
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	if _, err := os.Stat(other.dir); !os.IsNotExist(err) {
		t.Errorf("the directory %s is still there", other.dir)
	}
}

func TestAComponentThatCannotStartIsNamedWithItsLog(t *testing.T) {
	t.Parallel()
	binaries, err := buildControlPlane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "kube-apiserver")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no such flag: --tea\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	binaries["kube-apiserver"] = broken
	_, err = startOnce(t.Context(), binaries)
	if err == nil {
		t.Fatal("the start succeeded")
	}
	for _, want := range []string{"kube-apiserver ended unasked: exit status 3", "no such flag: --tea"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

// running tells whether a process exists that is more than a zombie.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || !strings.HasPrefix(state, "Z")
}
