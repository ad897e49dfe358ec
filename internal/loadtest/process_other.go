//go:build !unix

package loadtest

import "os/exec"

// ownGroup does nothing: there are no process groups here.
func ownGroup(*exec.Cmd) {}

// stopGroup does nothing, as nothing can be asked to end here.
func stopGroup(*exec.Cmd) {}

// killGroup ends a process, but not its children.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
