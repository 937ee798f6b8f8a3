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
	"os"
)

// Box is what a program must not see, and what of it it may.
type Box struct {
	Hide []string // folders and files, absolute; those that do not exist are left out
	Keep []string // folders below Hide that stay as they are, if they exist
}

// marker holds the order in the environment of the binary started again.
const marker = "HADRON_SANDBOX_ORDER"

// order is a Box for one program.
type order struct {
	Box
	Program string
	Server  int // the process whose death is the program's
}

// Start starts a program in the box, or as it is if the box hides nothing.
func (b Box) Start(program string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	if len(b.Hide) == 0 {
		return os.StartProcess(program, argv, attr)
	}
	text, err := json.Marshal(order{b, program, os.Getpid()})
	if err != nil {
		return nil, err
	}
	boxed := *attr
	boxed.Env = append(append([]string{}, attr.Env...), marker+"="+string(text))
	boxed.Sys = unshared(attr.Sys)
	return os.StartProcess("/proc/self/exe", argv, &boxed) // also right after an upgrade replaced the file
}
