package e2e

import "syscall"

// groupOfItsOwn keeps a terminal's Ctrl-C from reaching etcd before the API server, and has the kernel kill the process
// when the test process dies, however it dies.
func groupOfItsOwn() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// signalGroup signals a process and its children. A group that is gone already is as good.
func signalGroup(pid int, signal syscall.Signal) { _ = syscall.Kill(-pid, signal) }

// rssUnit is the unit of Rusage.Maxrss, in bytes.
const rssUnit = 1024
