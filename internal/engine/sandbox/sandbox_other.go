//go:build !linux

package sandbox

import (
	"errors"
	"syscall"
)

func unshared(sys *syscall.SysProcAttr) *syscall.SysProcAttr { return sys }

// Available reports why programs cannot be boxed on this machine.
func Available() error { return errors.New("only Linux has the namespaces that it takes") }
