package cli

import (
	"os"
	"syscall"
)

// isolations are the ways to start a process as the only one of a container, the most faithful first. None needs root,
// where the kernel gives namespaces to everybody; in a container that denies them, root still has chroot.
func isolations(root string) []*syscall.SysProcAttr {
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	group := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	return []*syscall.SysProcAttr{
		{Chroot: root, Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID, UidMappings: one, GidMappings: group},
		{Chroot: root, Cloneflags: syscall.CLONE_NEWPID},
		{Chroot: root},
	}
}
