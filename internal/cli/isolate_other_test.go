//go:build !linux

package cli

import "syscall"

func isolations(string) []*syscall.SysProcAttr { return nil }
