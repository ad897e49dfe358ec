//go:build unix && !linux

package e2e

import "syscall"

// groupOfItsOwn keeps a terminal's Ctrl-C from reaching etcd before the API server. Only Linux can kill a process on its
// parent's death.
func groupOfItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// signalGroup signals a process and its children. A group that is gone already is as good.
func signalGroup(pid int, signal syscall.Signal) { _ = syscall.Kill(-pid, signal) }

// rssUnit is the unit of Rusage.Maxrss, in bytes; Linux counts kilobytes.
const rssUnit = 1
