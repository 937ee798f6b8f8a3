// Package sandbox keeps what templates run away from what is the server's: its
// data folder with the database, keys and other runs' folders, and the memory
// and environment of its processes.
//
// A Box describes what a program must not see. Where the kernel allows, the
// program runs in user and mount namespaces of its own, without capabilities and
// within Limits; this binary, started again, builds them and then becomes the
// program. The package does not keep programs from the network, nor from what
// else the server's user may read on the machine.
package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
)

// Box is what a program must not see, what of it it may, and how much it may use.
type Box struct {
	Hide   []string // folders and files, absolute; those that do not exist are left out
	Keep   []string // folders below Hide that stay as they are, if they exist
	Show   []string // folders below Hide that can be read, if they exist
	Limits Limits
}

// marker tells this binary started again what it is. Its order comes through a
// pipe.
const marker = "HADRON_SANDBOX"

// order says what box to build, and what to become in it.
type order struct {
	Box
	Server int      // the process whose death is the program's
	Argv   []string // the first is the path
	Dir    string
	Env    []string
}

// Prepared is a process in namespaces of its own that waits for its order. To
// make one takes as long as much else that is to be done before the program is
// known.
type Prepared struct {
	process *os.Process
	order   *os.File
}

// Prepare makes ready for a program with these files.
func Prepare(files []*os.File, sys *syscall.SysProcAttr) (*Prepared, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	attr := os.ProcAttr{Env: []string{marker + "=1"}, Files: append(files[:len(files):len(files)], read), Sys: unshared(sys)}
	// Also right after an upgrade has replaced the file.
	process, err := os.StartProcess("/proc/self/exe", []string{"hadron-sandbox"}, &attr)
	if err != nil {
		write.Close()
		return nil, err
	}
	return &Prepared{process, write}, nil
}

// Start builds the box and runs a program in it.
func (p *Prepared) Start(b Box, argv []string, dir string, env []string) (*os.Process, error) {
	defer p.order.Close()
	if err := json.NewEncoder(p.order).Encode(order{b, os.Getpid(), argv, dir, env}); err != nil {
		p.Drop()
		return nil, fmt.Errorf("order the sandbox: %w", err)
	}
	return p.process, nil
}

// Drop ends a process that was not used.
func (p *Prepared) Drop() {
	p.order.Close()
	p.process.Kill()
	p.process.Wait()
}
