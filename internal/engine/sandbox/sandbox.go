// Package sandbox keeps what templates run away from what is the server's: its
// data folder with the database, keys and other runs' folders, and the memory
// and environment of its processes.
//
// A Box describes what a program must not see. Where the kernel allows, the
// program runs in user and mount namespaces of its own, without capabilities;
// this binary, started again, builds them and then becomes the program. The
// package does not keep programs from the network, nor from what else the
// server's user may read on the machine.
package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
)

// Box is what a program must not see, and what of it it may.
type Box struct {
	Hide []string // folders and files, absolute; those that do not exist are left out
	Keep []string // folders below Hide that stay as they are, if they exist
	Show []string // folders below Hide that can be read, if they exist
}

// marker tells this binary started again what it is. Its orders come through a
// pipe: the plan of the box first, then what to become.
const marker = "HADRON_SANDBOX"

// plan is a box to be built.
type plan struct {
	Box
	Server int // the process whose death is the program's
}

// program is what a process in a box becomes.
type program struct {
	Argv []string // the first is the path
	Dir  string
	Env  []string
}

// Prepared is a box in which no program runs yet. Building one takes as long as
// much else that must be done before the program is known.
type Prepared struct {
	attr    os.ProcAttr
	process *os.Process // builds the box and waits; nil if the box hides nothing
	orders  *os.File
}

// Prepare begins to build a box for a program with these files. They must stay
// open until Start or Drop.
func (b Box) Prepare(files []*os.File, sys *syscall.SysProcAttr) (*Prepared, error) {
	p := &Prepared{attr: os.ProcAttr{Files: files, Sys: sys}}
	if len(b.Hide) == 0 {
		return p, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	boxed := os.ProcAttr{Env: []string{marker + "=1"}, Files: append(files[:len(files):len(files)], read), Sys: unshared(sys)}
	// Also right after an upgrade has replaced the file.
	if p.process, err = os.StartProcess("/proc/self/exe", []string{"hadron-sandbox"}, &boxed); err != nil {
		write.Close()
		return nil, err
	}
	p.orders = write
	if err := json.NewEncoder(write).Encode(plan{b, os.Getpid()}); err != nil {
		p.Drop()
		return nil, fmt.Errorf("order the sandbox: %w", err)
	}
	return p, nil
}

// Start runs a program in the box.
func (p *Prepared) Start(argv []string, dir string, env []string) (*os.Process, error) {
	if p.process == nil {
		p.attr.Dir, p.attr.Env = dir, env
		return os.StartProcess(argv[0], argv, &p.attr)
	}
	defer p.orders.Close()
	if err := json.NewEncoder(p.orders).Encode(program{argv, dir, env}); err != nil {
		p.Drop()
		return nil, fmt.Errorf("order the sandbox: %w", err)
	}
	return p.process, nil
}

// Drop ends a box in which no program was started.
func (p *Prepared) Drop() {
	if p.process != nil {
		p.orders.Close()
		p.process.Kill()
		p.process.Wait()
	}
}
